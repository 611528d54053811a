--[[
  Takes the lease of a task, unless somebody has it, and tells of the turns before.

  KEYS[1]  the lease (string: its holder's token)
  KEYS[2]  turns by task (hash: turns, ms since 1970 of the last one's end)

  ARGV[1]  token
  ARGV[2]  ms after which the lease is over unless it is renewed
  ARGV[3]  task

  Returns {1, turns record or '', seconds, microseconds of the server's clock}, or {0}.
]]
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {0} end
local time = redis.call('TIME')
return {1, redis.call('HGET', KEYS[2], ARGV[3]) or '', time[1], time[2]}
