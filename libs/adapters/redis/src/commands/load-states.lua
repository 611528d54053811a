--[[
  Reads states of one partition, if its watermark is the one expected and none of the buckets is lost.

  KEYS[1]  watermark (hash)
  KEYS[2]  counts of fields by bucket (hash)
  KEYS[2 + i]  states of the i-th bucket asked for (hash)

  ARGV[1]  the watermark expected; '' for none
  ARGV[2]  the id of the commit that set it; '' for none
  ARGV[3]  the unfinished commit expected; '' for none
  ARGV[4]  what is asked for, bucket by bucket, little-endian: u16 bucket, u16 streams, then by stream: u32 length, field

  Returns {1, states}, in the order asked for, by stream: u32 length, state; length 2^32 - 1 where there is none,
  {0, watermark, commit, unfinished} as they are, or {2, bucket, fields recorded, fields found}.
]]
local SLICE = 2000
local NONE = '\255\255\255\255'

local watermark, commit, unfinished, streams =
  unpack(redis.call('HMGET', KEYS[1], 'watermark', 'commit', 'unfinished', 'streams'))
if (watermark or '') ~= ARGV[1] or (commit or '') ~= ARGV[2] or (unfinished or '') ~= ARGV[3] then
  return {0, watermark or '', commit or '', unfinished or ''}
end
local counted = redis.call('HGET', KEYS[2], 'streams') or '0'
if counted ~= (streams or '0') then return {2, 'all', streams or '0', counted} end

local asked = ARGV[4]
local at = 1
local found, n = {}, 0
local fields, filled, states = {}, 0, nil

local function read_slice()
  local values = redis.call('HMGET', states, unpack(fields, 1, filled))
  for i = 1, filled do
    local value = values[i]
    if value then
      found[n + 1], found[n + 2] = struct.pack('<I4', #value), value
      n = n + 2
    else
      n = n + 1
      found[n] = NONE
    end
  end
  filled = 0
end

for key = 3, #KEYS do
  states = KEYS[key]
  local bucket, count
  bucket, count, at = struct.unpack('<I2I2', asked, at)
  local recorded = redis.call('HGET', KEYS[2], 's' .. bucket) or '0'
  local present = redis.call('HLEN', states)
  if present ~= tonumber(recorded) then return {2, 's' .. bucket, recorded, tostring(present)} end
  for _ = 1, count do
    filled = filled + 1
    fields[filled], at = struct.unpack('<I4c0', asked, at)
    if filled == SLICE then read_slice() end
  end
  if filled > 0 then read_slice() end
end
return {1, table.concat(found)}
