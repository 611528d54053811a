--[[
  Reads the states of some buckets that were stored at an offset or later, for a checkpoint.

  KEYS  states of the buckets (hashes)

  ARGV[1]  the offset; a state's own is the float64 at its byte 16, little-endian

  Returns by stream, little-endian: u32 length, field, u32 length, state.
]]
local least = tonumber(ARGV[1])
local found, n = {}, 0
for key = 1, #KEYS do
  local all = redis.call('HGETALL', KEYS[key])
  for i = 1, #all, 2 do
    local state = all[i + 1]
    if struct.unpack('<d', state, 17) >= least then
      found[n + 1], found[n + 2], found[n + 3], found[n + 4] =
        struct.pack('<I4', #all[i]), all[i], struct.pack('<I4', #state), state
      n = n + 4
    end
  end
end
return table.concat(found)
