--[[
  Makes a model the champion of a pipeline, the one before it its previous, and ends a trial and a canary; or puts a model beside the champion.

  KEYS[1]  champions, previous ones, challengers and canaries by pipeline (hash)
  KEYS[2]  manifests by name@version (hash)

  ARGV[1]  pipeline
  ARGV[2]  name@version; with 'challenge' and 'canary' also '' for none
  ARGV[3]  'any', or 'only': then only if the champion is ARGV[4]
  ARGV[4]  name@version; '' for none
  ARGV[5]  'activate'; 'keep': the same, and the one before goes on as challenger; 'challenge': ARGV[2] becomes challenger;
           'canary': it becomes canary, and a trial ends
  ARGV[6]  a canary's share of the streams

  Returns {1, champion, previous, challenger, share|canary} as they are now, {0, champion} if it is another one, or {2} if there is no such model. '' stands for none.
]]
local function field(alias) return alias .. ':' .. ARGV[1] end
local function get(alias) return redis.call('HGET', KEYS[1], field(alias)) or '' end
local function set(alias, label)
  if label == '' then redis.call('HDEL', KEYS[1], field(alias)) else redis.call('HSET', KEYS[1], field(alias), label) end
end
if ARGV[2] ~= '' and redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return {2} end
local champion = get('champion')
if ARGV[3] == 'only' and champion ~= ARGV[4] then return {0, champion} end
if ARGV[5] == 'challenge' then
  set('challenger', ARGV[2])
elseif ARGV[5] == 'canary' then
  set('canary', ARGV[2] ~= '' and ARGV[6] .. '|' .. ARGV[2] or '')
  if ARGV[2] ~= '' then set('challenger', '') end
elseif champion ~= ARGV[2] then
  set('champion', ARGV[2])
  if champion ~= '' then set('previous', champion) end
  set('challenger', ARGV[5] == 'keep' and champion or '')
  set('canary', '')
else
  set('canary', '')
end
return {1, get('champion'), get('previous'), get('challenger'), get('canary')}
