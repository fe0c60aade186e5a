"""What Redis runs as a whole: every change of a room that two processes could make at once.

A person is ``contributed:crowd:held_until:seen:gone``. Keys of one room share a hash tag. While one process closes a
bucket it holds ``lock``; the scripts then answer ``locked`` and are asked again.
"""

from __future__ import annotations

from typing import Final

_PREAMBLE: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then return {'locked'} end
local bucket = tonumber(redis.call('HGET', KEYS[2], 'bucket') or '')
if not bucket then return {'unknown'} end
if redis.call('HGET', KEYS[2], 'ended') == '1' then return {'ended'} end
local expires = redis.call('HGET', KEYS[2], 'expires')
local function parse(text)
  local contributed, crowd, held, seen, gone = string.match(text, '^(-?%d+):(%d+):(%d+):(-?%d+):(%d)$')
  return tonumber(contributed), tonumber(crowd), tonumber(held), tonumber(seen), tonumber(gone)
end
local function join(contributed, crowd, held, seen, gone)
  return string.format('%d:%d:%d:%d:%d', contributed, crowd, held, seen, gone)
end
"""

CONTRIBUTE: Final = (
    _PREAMBLE
    + """
-- KEYS: lock meta people sums; ARGV: how many values, s that sums stay, and of each contribution: member, values…
local width = tonumber(ARGV[1])
local function contribute(first)
  local text = redis.call('HGET', KEYS[3], ARGV[first])
  if not text then return 'stranger' end
  local contributed, crowd, held, seen, gone = parse(text)
  if contributed >= bucket then return 'already' end
  redis.call('HSET', KEYS[3], ARGV[first], join(bucket, crowd, held, bucket, gone))
  redis.call('HINCRBY', KEYS[4], crowd .. ':n', 1)
  for i = 1, width do
    local value = ARGV[first + i]
    if value ~= '0' then redis.call('HINCRBY', KEYS[4], crowd .. ':' .. (i - 1), value) end
  end
  if crowd == 0 then return 'waiting' end
  return held > bucket and 'held' or 'crowd'
end
local answers = {'ok', bucket}
for first = 3, #ARGV, width + 1 do answers[#answers + 1] = contribute(first) end
redis.call('EXPIRE', KEYS[4], math.min(tonumber(ARGV[2]), redis.call('TTL', KEYS[2])))
return answers
"""
)
"""Add contributions to the sums, of those who have not contributed to the open bucket."""

JOIN: Final = (
    _PREAMBLE
    + """
-- KEYS: lock meta people; ARGV: member, most participants, most people who are known
local text = redis.call('HGET', KEYS[3], ARGV[1])
local contributed, crowd, held, seen, gone = -1, 0, 0, -9, 1
if text then contributed, crowd, held, seen, gone = parse(text) end
-- Before they are counted: everybody else's room waits for as long as that takes.
if not text and redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[3]) then return {'crowded'} end
if gone == 1 or bucket - seen > 1 then
  local present = 0
  for _, other in ipairs(redis.call('HVALS', KEYS[3])) do
    local _, _, _, s, g = parse(other)
    if g == 0 and bucket - s <= 1 then present = present + 1 end
  end
  if present >= tonumber(ARGV[2]) then return {'full'} end
end
redis.call('HSET', KEYS[3], ARGV[1], join(contributed, crowd, held, bucket, 0))
redis.call('EXPIREAT', KEYS[3], expires)
return {'ok', bucket}
"""
)
"""A participant is there, for the first time or again."""

SEE: Final = (
    _PREAMBLE
    + """
-- KEYS: lock meta people hands hands_seen; ARGV: how many members, members…, hands…
local members = tonumber(ARGV[1])
for i = 2, members + 1 do
  local text = redis.call('HGET', KEYS[3], ARGV[i])
  if text then
    local contributed, crowd, held, seen, gone = parse(text)
    redis.call('HSET', KEYS[3], ARGV[i], join(contributed, crowd, held, bucket, gone))
  end
end
for i = members + 2, #ARGV do
  if redis.call('HEXISTS', KEYS[4], ARGV[i]) == 1 then redis.call('HSET', KEYS[5], ARGV[i], bucket) end
end
return {'ok', bucket}
"""
)
"""These participants are connected, these hands raised."""

PART: Final = (
    _PREAMBLE
    + """
-- KEYS: lock meta people; ARGV: member, whether they left (1) or their connection did (0), absence
local text = redis.call('HGET', KEYS[3], ARGV[1])
if text then
  local contributed, crowd, held, seen, gone = parse(text)
  if ARGV[2] == '1' then gone = 1 end
  redis.call('HSET', KEYS[3], ARGV[1], join(contributed, crowd, held, bucket - tonumber(ARGV[3]), gone))
end
return {'ok', bucket}
"""
)
"""A participant left, or their connection is lost."""

RAISE: Final = (
    _PREAMBLE
    + """
-- KEYS: lock meta hands hands_seen; ARGV: hand, its JSON, most hands, its owner
local answer = {'ok', bucket}
local hands = ARGV[4] ~= '' and redis.call('HGETALL', KEYS[3]) or {}
for i = 1, #hands, 2 do
  if hands[i] ~= ARGV[1] and cjson.decode(hands[i + 1]).owner == ARGV[4] then
    redis.call('HDEL', KEYS[3], hands[i])
    redis.call('HDEL', KEYS[4], hands[i])
    answer[#answer + 1] = hands[i]
  end
end
if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 0 and redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[3]) then
  return {'full'}
end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[4], ARGV[1], bucket)
redis.call('EXPIREAT', KEYS[3], expires)
redis.call('EXPIREAT', KEYS[4], expires)
return answer
"""
)
"""Raise a hand; another one of its owner goes, and is answered."""

MARK: Final = (
    _PREAMBLE
    + """
-- KEYS: lock meta marks; ARGV: its JSON, most marks
if redis.call('LLEN', KEYS[3]) >= tonumber(ARGV[2]) then return {'full'} end
redis.call('RPUSH', KEYS[3], ARGV[1])
redis.call('EXPIREAT', KEYS[3], expires)
return {'ok', bucket}
"""
)
"""Keep a mark."""

CREATE: Final = """
-- KEYS: code meta rooms; ARGV: id, record, expires, now
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', ARGV[4])
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[2], 'record', ARGV[2], 'bucket', 0, 'ended', 0, 'expires', ARGV[3], 'crowds', '{}', 'next', 1)
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
redis.call('EXPIREAT', KEYS[1], ARGV[3])
redis.call('EXPIREAT', KEYS[2], ARGV[3])
local last = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')
redis.call('EXPIREAT', KEYS[3], last[2])
return 1
"""
"""Keep a new room, if its code is free."""

COMMIT: Final = """
-- KEYS: lock meta people sums rows hands hands_seen
-- ARGV: lock's token, closed bucket, JSON {bucket, next, crowds, set, remove, hands, row}
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[2], 'bucket') ~= ARGV[2] or redis.call('HGET', KEYS[2], 'ended') == '1' then
  redis.call('DEL', KEYS[1])
  return 0
end
local expires = redis.call('HGET', KEYS[2], 'expires')
local closing = cjson.decode(ARGV[3])
redis.call('HSET', KEYS[2], 'bucket', closing.bucket, 'next', closing.next, 'crowds', closing.crowds)
for member, text in pairs(closing.set) do redis.call('HSET', KEYS[3], member, text) end
for _, member in ipairs(closing.remove) do redis.call('HDEL', KEYS[3], member) end
for _, hand in ipairs(closing.hands) do
  redis.call('HDEL', KEYS[6], hand)
  redis.call('HDEL', KEYS[7], hand)
end
redis.call('DEL', KEYS[4])
if closing.row ~= '' then
  redis.call('RPUSH', KEYS[5], closing.row)
  redis.call('EXPIREAT', KEYS[5], expires)
end
redis.call('DEL', KEYS[1])
return 1
"""
"""Write what a closed bucket leaves, if the lock is still ours."""

UNLOCK: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 0"
"""Let go of a lock, if it is still ours."""
