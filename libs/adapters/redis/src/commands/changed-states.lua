--[[
  Reads the states of some buckets that were stored at an offset or later, for a checkpoint: if nobody but the reader has moved the watermark, and none of
  the buckets is lost. What an older copy of Redis holds, or no longer holds, must not pass for the present.

  KEYS[1]  watermark (hash)
  KEYS[2]  counts of fields by bucket (hash)
  KEYS[2 + i]  states of the i-th bucket (hash)

  ARGV[1]  the offset; a state's own is the float64 at its byte 16, little-endian
  ARGV[2]  the id of the commit that set the watermark, and
  ARGV[3]  that of the reader's commit under way; '' for none
  ARGV[3 + i]  the number of the i-th bucket

  Returns {1, states}, by stream, little-endian: u32 length, field, u32 length, state,
  {0, watermark, commit, unfinished} as they are, or {2, bucket, fields recorded, fields found}.
]]
local watermark, commit, unfinished, streams =
  unpack(redis.call('HMGET', KEYS[1], 'watermark', 'commit', 'unfinished', 'streams'))
if not commit or (commit ~= ARGV[2] and commit ~= ARGV[3]) then
  return {0, watermark or '', commit or '', unfinished or ''}
end
local counted = redis.call('HGET', KEYS[2], 'streams') or '0'
if counted ~= (streams or '0') then return {2, 'all', streams or '0', counted} end

local least = tonumber(ARGV[1])
local found, n = {}, 0
for key = 3, #KEYS do
  local all = redis.call('HGETALL', KEYS[key])
  local name = 's' .. ARGV[key + 1]
  local recorded = redis.call('HGET', KEYS[2], name) or '0'
  if #all / 2 ~= tonumber(recorded) then return {2, name, recorded, tostring(#all / 2)} end
  for i = 1, #all, 2 do
    local state = all[i + 1]
    if struct.unpack('<d', state, 17) >= least then
      found[n + 1], found[n + 2], found[n + 3], found[n + 4] =
        struct.pack('<I4', #all[i]), all[i], struct.pack('<I4', #state), state
      n = n + 4
    end
  end
end
return {1, table.concat(found)}
