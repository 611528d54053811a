--[[
  Makes a model the champion of a pipeline, and the one before it its previous.

  KEYS[1]  champions and previous ones by pipeline (hash)
  KEYS[2]  manifests by name@version (hash)

  ARGV[1]  pipeline
  ARGV[2]  name@version
  ARGV[3]  'any', or 'only': then only if the champion is ARGV[4]
  ARGV[4]  name@version; '' for none

  Returns {1, champion, previous} as they are now, {0, champion} if it is another one, or {2} if there is no such model. '' stands for none.
]]
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return {2} end
local champion = redis.call('HGET', KEYS[1], 'champion:' .. ARGV[1]) or ''
if ARGV[3] == 'only' and champion ~= ARGV[4] then return {0, champion} end
if champion ~= ARGV[2] then
  redis.call('HSET', KEYS[1], 'champion:' .. ARGV[1], ARGV[2])
  if champion ~= '' then redis.call('HSET', KEYS[1], 'previous:' .. ARGV[1], champion) end
end
return {1, ARGV[2], redis.call('HGET', KEYS[1], 'previous:' .. ARGV[1]) or ''}
