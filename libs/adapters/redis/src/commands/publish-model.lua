--[[
  Stores a model as the next version of its name, if that version is still free.

  KEYS[1]  newest version by name (hash)
  KEYS[2]  manifests by name@version (hash)
  KEYS[3]  name@version by digest (hash)
  KEYS[4]  the weights (string)

  ARGV[1]  name
  ARGV[2]  version
  ARGV[3]  manifest, JSON
  ARGV[4]  digest
  ARGV[5]  weights

  Returns 1 if it is stored, 0 if another model has that version.
]]
local newest = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
if newest + 1 ~= tonumber(ARGV[2]) then return 0 end
local label = ARGV[1] .. '@' .. ARGV[2]
redis.call('SET', KEYS[4], ARGV[5])
redis.call('HSET', KEYS[2], label, ARGV[3])
redis.call('HSET', KEYS[3], ARGV[4], label)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
