-- What calls to a venue from one address have come to: bans, and the breaker's counts; one run is one atomic step.
--
-- KEYS  1 ban   2 breaker, see governor.lua
-- ARGV  1 JSON: ok, bad (calls since the last report), ban (ms, or 0), is_barred (the venue has barred the address),
--       span, least, base, longest (ms, and how many calls it takes to judge), now (tests only)

local PARTS = 12
local ban, breaker = unpack(KEYS)
local ask = cjson.decode(ARGV[1])
local now = ask.now
if not now or now == cjson.null then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

if ask.ban > 0 and ask.ban > redis.call('PTTL', ban) then redis.call('SET', ban, '1', 'PX', ask.ban) end

local state = redis.call('HMGET', breaker, 'open_until', 'level')
local open_until, level = tonumber(state[1] or 0), tonumber(state[2] or 0)

local function open(to)
  redis.call('DEL', breaker)
  local lasts = math.min(ask.longest, ask.base * 2 ^ (to - 1))
  redis.call('HSET', breaker, 'open_until', math.floor(now + lasts), 'level', to)
  -- Whoever has been well for so long begins with the short pause again.
  redis.call('PEXPIRE', breaker, math.floor(lasts + 2 * ask.longest))
end

if ask.is_barred then
  if now >= open_until then open(level + 1) end
elseif level > 0 then
  if now >= open_until then
    if ask.bad > 0 then open(level + 1) elseif ask.ok > 0 then redis.call('DEL', breaker) end
  end
else
  local slot = math.floor(now / (ask.span / PARTS))
  if ask.ok > 0 then redis.call('HINCRBY', breaker, 'ok:' .. slot, ask.ok) end
  if ask.bad > 0 then redis.call('HINCRBY', breaker, 'bad:' .. slot, ask.bad) end
  redis.call('PEXPIRE', breaker, 2 * ask.span)
  local flat, sums, stale = redis.call('HGETALL', breaker), {ok = 0, bad = 0}, {}
  for i = 1, #flat, 2 do
    local kind, at = string.match(flat[i], '^(%a+):(%d+)$')
    if kind and tonumber(at) >= slot - PARTS then
      sums[kind] = sums[kind] + tonumber(flat[i + 1])
    elseif kind then
      stale[#stale + 1] = flat[i]
    end
  end
  if #stale > 0 then redis.call('HDEL', breaker, unpack(stale)) end
  local calls = sums.ok + sums.bad
  if calls >= ask.least and 2 * sums.bad >= calls then open(1) end
end
return redis.status_reply('OK')
