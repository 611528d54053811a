--[[
  Gives a lease back, if it is still ours, and writes down a turn that counts.

  KEYS[1]  the lease (string: its holder's token)
  KEYS[2]  turns by task (hash: turns, ms since 1970 of the last one's end)

  ARGV[1]  token
  ARGV[2]  task
  ARGV[3]  turns made with this one; '' if it does not count

  Returns 1, or 0 if it is not ours any more: nothing is written.
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] ~= '' then
  local time = redis.call('TIME')
  local ms = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3] .. ' ' .. ms)
end
return redis.call('UNLINK', KEYS[1])
