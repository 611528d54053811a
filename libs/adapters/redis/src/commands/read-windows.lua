--[[
  Reads the window segments of streams of one partition.

  KEYS[1]  watermark (hash)
  KEYS[2]  counts of fields by bucket (hash)
  KEYS[2 + i]  segments of the i-th bucket asked for (hash)

  ARGV[1]  'any', or 'exact': then only if the next three are as stored
  ARGV[2]  the watermark expected; '' for none
  ARGV[3]  the id of the commit that set it; '' for none
  ARGV[4]  the unfinished commit expected; '' for none
  ARGV[5]  the number of segments to read of a stream, the youngest
  ARGV[6]  what is asked for, bucket by bucket, little-endian: u16 bucket, u16 streams, then by stream: u32 length, field

  Returns {1, windows}, in the order asked for, by stream: u32 segments, oldest first, each u32 length, segment,
  {0, watermark, commit, unfinished} as they are, or {2, bucket, fields recorded, fields found}.
]]
local SLICE = 2000

if ARGV[1] == 'exact' then
  local watermark, commit, unfinished = unpack(redis.call('HMGET', KEYS[1], 'watermark', 'commit', 'unfinished'))
  if (watermark or '') ~= ARGV[2] or (commit or '') ~= ARGV[3] or (unfinished or '') ~= ARGV[4] then
    return {0, watermark or '', commit or '', unfinished or ''}
  end
end

local keep = tonumber(ARGV[5])
local asked = ARGV[6]
local at = 1
local found, n = {}, 0

local function read_range(segments, prefix, first, last)
  local names = {}
  for sequence = first, last do names[#names + 1] = prefix .. string.format('%.0f', sequence) end
  for _, segment in ipairs(redis.call('HMGET', segments, unpack(names))) do
    found[n + 1], found[n + 2] = struct.pack('<I4', #segment), segment
    n = n + 2
  end
end

for key = 3, #KEYS do
  local segments = KEYS[key]
  local bucket, count
  bucket, count, at = struct.unpack('<I2I2', asked, at)
  local recorded = redis.call('HGET', KEYS[2], 'x' .. bucket) or '0'
  local present = redis.call('HLEN', segments)
  if present ~= tonumber(recorded) then return {2, 'x' .. bucket, recorded, tostring(present)} end
  for _ = 1, count do
    local field
    field, at = struct.unpack('<I4c0', asked, at)
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
return {1, table.concat(found)}
