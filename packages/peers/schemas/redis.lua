#!lua name=reservations
-- The commands as functions of Redis 7, each one call and so one atomic step. Keys, by their first letter:
--   r<resource>     the reservation that holds it, empty when it is free
--   v<reservation>  state, resource, holder, deadline in ms of a hold
--   o<operation>    kind, code, length of the id granted, that id, and what was asked: the first answer for ever
-- Everything that a command changes is written by one MSET, which is the cheapest for Redis. Nothing is forgotten: keys
-- that expire would cost more.
-- Codes, kinds and states as in postgres.sql.

local function answer_again(stored, kind, request)
  local id_length = string.byte(stored, 3)
  if string.byte(stored, 1) ~= kind or string.sub(stored, 4 + id_length) ~= request then
    return {13, 0}
  end
  return {string.byte(stored, 2), tonumber(string.sub(stored, 4, 3 + id_length)) or 0}
end

local function operation(kind, code, id, request)
  return string.char(kind, code, #id) .. id .. request
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function is_overdue(reservation)
  return string.byte(reservation, 1) == 1 and tonumber(string.sub(reservation, 34)) <= now_ms()
end

-- reserve operation resource holder ttl_ms
local function reserve(_, args)
  local operation_key, resource, holder, ttl = 'o' .. args[1], args[2], args[3], args[4]
  local request = resource .. holder .. ttl
  local stored = redis.call('GET', operation_key)
  if stored then
    return answer_again(stored, 2, request)
  end
  local resource_key = 'r' .. resource
  local held = redis.call('GET', resource_key)
  if not held then
    redis.call('SET', operation_key, operation(2, 5, '', request))
    return {5, 0}
  end
  if held ~= '' then
    local reservation = redis.call('GET', 'v' .. held)
    if not is_overdue(reservation) then
      redis.call('SET', operation_key, operation(2, 6, '', request))
      return {6, 0}
    end
    redis.call('SET', 'v' .. held, string.char(4) .. string.sub(reservation, 2))
  end
  local id = redis.call('INCR', 'reservation_ids')
  local text = string.format('%.0f', id)
  local reservation = string.char(1) .. resource .. holder .. string.format('%.0f', now_ms() + ttl)
  redis.call('MSET', resource_key, text, 'v' .. text, reservation, operation_key, operation(2, 1, text, request))
  return {1, id}
end

local function refusal(reservation, holder)
  if not reservation then
    return 9
  end
  if string.sub(reservation, 18, 33) ~= holder then
    return 15
  end
  return 14
end

-- confirm operation reservation holder
local function confirm(_, args)
  local operation_key, id, holder = 'o' .. args[1], args[2], args[3]
  local request = id .. holder
  local stored = redis.call('GET', operation_key)
  if stored then
    return answer_again(stored, 3, request)
  end
  local reservation = redis.call('GET', 'v' .. id)
  if reservation and string.byte(reservation, 1) == 1 and string.sub(reservation, 18, 33) == holder then
    local confirmed = string.char(2) .. string.sub(reservation, 2)
    redis.call('MSET', 'v' .. id, confirmed, operation_key, operation(3, 1, '', request))
    return {1, 0}
  end
  local code = refusal(reservation, holder)
  redis.call('SET', operation_key, operation(3, code, '', request))
  return {code, 0}
end

-- release operation reservation holder
local function release(_, args)
  local operation_key, id, holder = 'o' .. args[1], args[2], args[3]
  local request = id .. holder
  local stored = redis.call('GET', operation_key)
  if stored then
    return answer_again(stored, 4, request)
  end
  local reservation = redis.call('GET', 'v' .. id)
  if reservation and string.byte(reservation, 1) <= 2 and string.sub(reservation, 18, 33) == holder then
    local released = string.char(3) .. string.sub(reservation, 2)
    local freed = 'r' .. string.sub(reservation, 2, 17)
    redis.call('MSET', freed, '', 'v' .. id, released, operation_key, operation(4, 1, '', request))
    return {1, 0}
  end
  local code = refusal(reservation, holder)
  redis.call('SET', operation_key, operation(4, code, '', request))
  return {code, 0}
end

redis.register_function('reserve', reserve)
redis.register_function('confirm', confirm)
redis.register_function('release', release)
