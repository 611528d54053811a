--[[
  Holds a lease for longer, if it is still ours.

  KEYS[1]  the lease (string: its holder's token)

  ARGV[1]  token
  ARGV[2]  ms from now

  Returns 1, or 0 if it is not ours any more.
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
