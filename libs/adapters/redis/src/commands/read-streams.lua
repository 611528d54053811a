--[[
  Reads states and window segments of streams of one partition as they are, for readers beside the partition's owner. Both in one script: what a
  stream's state says of its segments is true of those read.

  KEYS[1]  counts of fields by bucket (hash)
  KEYS[2i], KEYS[2i + 1]  states and segments of the i-th bucket asked for (hashes)

  ARGV[1]  the number of segments to read of a stream, the youngest
  ARGV[2]  what is asked for, bucket by bucket, little-endian: u16 bucket, u16 streams, then by stream: u32 length, field

  Returns {1, states, windows}, in the order asked for, by stream: u32 length, state, length 2^32 - 1 where there is none; and
  u32 segments, oldest first, each u32 length, segment. Or {2, bucket, fields recorded, fields found}.
]]
local SLICE = 2000
local NONE = '\255\255\255\255'

local keep = tonumber(ARGV[1])
local asked = ARGV[2]
local at = 1
local states, s = {}, 0
local found, n = {}, 0

local function lost(key, name)
  local recorded = redis.call('HGET', KEYS[1], name) or '0'
  local present = redis.call('HLEN', key)
  if present ~= tonumber(recorded) then return {2, name, recorded, tostring(present)} end
end

local function read_range(segments, prefix, first, last)
  local names = {}
  for sequence = first, last do names[#names + 1] = prefix .. string.format('%.0f', sequence) end
  for _, segment in ipairs(redis.call('HMGET', segments, unpack(names))) do
    found[n + 1], found[n + 2] = struct.pack('<I4', #segment), segment
    n = n + 2
  end
end

for key = 2, #KEYS, 2 do
  local segments = KEYS[key + 1]
  local bucket, count
  bucket, count, at = struct.unpack('<I2I2', asked, at)
  local loss = lost(KEYS[key], 's' .. bucket) or lost(segments, 'x' .. bucket)
  if loss then return loss end
  for _ = 1, count do
    local field
    field, at = struct.unpack('<I4c0', asked, at)
    local state = redis.call('HGET', KEYS[key], field)
    s = s + 1
    states[s] = state and struct.pack('<I4', #state) .. state or NONE
    local prefix = field .. '\0'
    local range = redis.call('HGET', segments, prefix)
    local first, last = 0, -1
    if range then first, last = struct.unpack('<dd', range) end
    first = math.max(first, last - keep + 1)
    n = n + 1
    found[n] = struct.pack('<I4', math.max(0, last - first + 1))
    for from = first, last, SLICE do read_range(segments, prefix, from, math.min(last, from + SLICE - 1)) end
  end
end
return {1, table.concat(states), table.concat(found)}
