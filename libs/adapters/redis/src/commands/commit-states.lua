--[[
  Writes states and window segments of one partition, and moves its watermark, if nobody else has written since.

  KEYS[1]  watermark (hash)
  KEYS[2]  counts of fields by bucket (hash)
  KEYS[3 + 2i], KEYS[4 + 2i]  states and segments of the i-th bucket that the changes touch (hashes)

  ARGV[1]  the watermark expected; '' for none
  ARGV[2]  the id of the commit that set it; '' for none
  ARGV[3]  the unfinished commit expected; '' for none
  ARGV[4]  the id of this commit
  ARGV[5]  the watermark to set; '' if more chunks of this commit follow
  ARGV[6]  the number of segments kept for a stream
  ARGV[7]  the number of buckets
  ARGV[8]  the changes, bucket by bucket, little-endian:
           u16 bucket, u16 streams, then by stream: u32 length, field, u32 length, state, u16 segments (65535: the stream goes),
           then by segment: f64 sequence, u32 length, segment
  ARGV[9]  the claim this chunk leaves, by which the next one knows that none was lost

  Returns {1} done (now, or by this very commit before), {0, watermark, commit, unfinished} as they are, nothing written,
  or {2, 'watermark', streams, 'none'} states without a watermark, nothing written.
]]
local REMOVED = 65535
local SLICE = 2000

local watermark, commit, unfinished = unpack(redis.call('HMGET', KEYS[1], 'watermark', 'commit', 'unfinished'))
-- The reply to this commit was lost, and it is sent again.
if commit == ARGV[4] or unfinished == ARGV[9] then return {1} end
if (watermark or '') ~= ARGV[1] or (commit or '') ~= ARGV[2] or (unfinished or '') ~= ARGV[3] then
  return {0, watermark or '', commit or '', unfinished or ''}
end
if not watermark and not unfinished and redis.call('EXISTS', KEYS[2]) == 1 then
  return {2, 'watermark', redis.call('HGET', KEYS[2], 'streams') or '', 'none'}
end

-- A claim keeps every other writer out until the last chunk.
if not watermark then redis.call('HSET', KEYS[1], 'format', '1', 'buckets', ARGV[7]) end
if ARGV[5] == '' then redis.call('HSET', KEYS[1], 'unfinished', ARGV[9]) end

local changes = ARGV[8]
local keep = tonumber(ARGV[6])
local at = 1
local streams = 0
local states, segments, added, addedSegments
local slice, filled = {}, 0

local function write_slice()
  if filled == 0 then return end
  added = added + redis.call('HSET', states, unpack(slice, 1, filled))
  filled = 0
end

local function remove_segments(prefix, first, last)
  for sequence = first, last do
    addedSegments = addedSegments - redis.call('HDEL', segments, prefix .. string.format('%.0f', sequence))
  end
end

local function segment_range(prefix)
  local range = redis.call('HGET', segments, prefix)
  if range then return struct.unpack('<dd', range) end
  return 0, -1
end

local function remove_stream(field)
  write_slice()
  added = added - redis.call('HDEL', states, field)
  local prefix = field .. '\0'
  remove_segments(prefix, segment_range(prefix))
  addedSegments = addedSegments - redis.call('HDEL', segments, prefix)
end

local function append_segments(field, count)
  local prefix = field .. '\0'
  local first, last = segment_range(prefix)
  for _ = 1, count do
    local sequence, segment
    sequence, segment, at = struct.unpack('<dI4c0', changes, at)
    if sequence > last + 1 or sequence < first then
      remove_segments(prefix, first, last)
      first = sequence
    elseif sequence <= last then
      -- This part of the log is gone through again: what is younger comes again too.
      remove_segments(prefix, sequence + 1, last)
    end
    last = sequence
    addedSegments = addedSegments + redis.call('HSET', segments, prefix .. string.format('%.0f', sequence), segment)
    if last - first >= keep then
      remove_segments(prefix, first, last - keep)
      first = last - keep + 1
    end
  end
  addedSegments = addedSegments + redis.call('HSET', segments, prefix, struct.pack('<dd', first, last))
end

for key = 3, #KEYS, 2 do
  states, segments, added, addedSegments = KEYS[key], KEYS[key + 1], 0, 0
  local bucket, count
  bucket, count, at = struct.unpack('<I2I2', changes, at)
  for _ = 1, count do
    local field, state, owned
    field, state, owned, at = struct.unpack('<I4c0I4c0I2', changes, at)
    if owned == REMOVED then
      remove_stream(field)
    else
      slice[filled + 1], slice[filled + 2] = field, state
      filled = filled + 2
      if filled == SLICE then write_slice() end
      if owned > 0 then append_segments(field, owned) end
    end
  end
  write_slice()
  if added ~= 0 then redis.call('HINCRBY', KEYS[2], 's' .. bucket, added) end
  if addedSegments ~= 0 then redis.call('HINCRBY', KEYS[2], 'x' .. bucket, addedSegments) end
  streams = streams + added
end

if streams ~= 0 then
  redis.call('HINCRBY', KEYS[1], 'streams', streams)
  redis.call('HINCRBY', KEYS[2], 'streams', streams)
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], 'watermark', ARGV[5], 'commit', ARGV[4])
  redis.call('HDEL', KEYS[1], 'unfinished')
end
return {1}
