#!lua name=writebehind
-- Capture: a document and its queue entry change in one step. Every function gets the caller's
-- version of this library first, so that nobody runs against another one unnoticed.
local VERSION, OLDEST = 10, 1

-- The commands that may change a document. Anything else passes no entry to the queue.
local CHANGES = {
  ['JSON.SET'] = true, ['JSON.MERGE'] = true, ['JSON.DEL'] = true, ['JSON.NUMINCRBY'] = true,
  ['JSON.NUMMULTBY'] = true, ['JSON.ARRAPPEND'] = true, ['JSON.ARRINSERT'] = true,
  ['JSON.ARRPOP'] = true, ['JSON.ARRTRIM'] = true, ['JSON.STRAPPEND'] = true,
  ['JSON.TOGGLE'] = true, ['JSON.CLEAR'] = true, ['SET'] = true, ['DEL'] = true, ['RENAME'] = true, ['PEXPIREAT'] = true, ['PEXPIRE'] = true,
  ['PERSIST'] = true,
}
local EXPIRES = { ['PEXPIREAT'] = true, ['PEXPIRE'] = true, ['PERSIST'] = true }
local SETS = { ['SET'] = true, ['JSON.SET'] = true } -- with NX or XX they may change nothing
-- They go from place to place, and leave what they have done when they fail at one of them.
local PARTLY = { ['JSON.ARRINSERT'] = true, ['JSON.NUMINCRBY'] = true, ['JSON.NUMMULTBY'] = true }
local ROOT = { ['$'] = true, ['.'] = true }
local MOST_LANES = 2000

-- Redis shows a library none of these while it loads. The first call fetches them, because each look into
-- `redis` costs as much as a step of a command.
local call, try, may, match

local function refuse(code, text)
  return redis.error_reply(code .. ' ' .. text)
end

local function other_version(theirs)
  theirs = tonumber(theirs) or 0
  if theirs < OLDEST or theirs > VERSION then
    return refuse('WBVERSION', 'this library has version ' .. VERSION .. ', the caller version ' .. theirs)
  end
end

local function failed(reply)
  return type(reply) == 'table' and reply.err
end

local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whether stream id `a` is greater than `b`.
local function later(a, b)
  local a_ms, a_seq = match(a, '(%d+)-(%d+)')
  local b_ms, b_seq = match(b, '(%d+)-(%d+)')
  a_ms, b_ms = tonumber(a_ms), tonumber(b_ms)
  return a_ms > b_ms or (a_ms == b_ms and tonumber(a_seq) > tonumber(b_seq))
end

-- The document as text, or false.
local function text_of(key)
  local kind = call('TYPE', key).ok
  if kind == 'none' then return false end
  return call(kind == 'string' and 'GET' or 'JSON.GET', key)
end

local DOCUMENT = { ['none'] = true, ['string'] = true, ['ReJSON-RL'] = true }

-- The document's text, '' if there is none; nothing for a key that holds something else, an empty string say.
local function document(key)
  local kind = call('TYPE', key).ok
  if kind == 'none' then return '' elseif not DOCUMENT[kind] then return end
  local text = call(kind == 'string' and 'GET' or 'JSON.GET', key)
  if text ~= '' then return text or nil end
end

local function is_json(text)
  return not text or pcall(cjson.decode, text)
end

local function no_json()
  return refuse('WBJSON', 'the document is not JSON')
end

-- Property 3: versions only grow, even if somebody deleted the stream and the clock stepped back.
local function append(stream, last, key, doc, ...)
  local id = call('XADD', stream, '*', 'key', key, 'doc', doc, ...)
  if last and id <= last and not later(id, last) then
    call('XDEL', stream, id)
    call('XSETID', stream, last)
    id = call('XADD', stream, '*', 'key', key, 'doc', doc, ...)
  end
  return id
end

-- A lane is what one call at a time of one client is numbered in. Short-lived clients leave lanes
-- behind; the longer unused half goes when there are too many.
-- The note makes the hash a real one from the start: a small one is searched from end to end.
local NOTE = 'what waits in bytes, the last version, and what each lane was answered last'
local function prune(state)
  call('HSETNX', state, 'note', NOTE)
  if call('HLEN', state) <= MOST_LANES then return end
  local all, lanes = call('HGETALL', state), {}
  for i = 1, #all, 2 do
    local ms = match(all[i + 1], '^%d+%*? (%d+)-')
    if ms then lanes[#lanes + 1] = { tonumber(ms), all[i] } end
  end
  table.sort(lanes, function(a, b) return a[1] < b[1] end)
  for i = 1, math.floor(#lanes / 2) do call('HDEL', state, lanes[i][2]) end
end

-- Redis asks at each call whether the client's user may. What it would refuse after the document has
-- changed is asked before, or the document would be there without its entry. `reads` is whether the
-- document is going to be read. Says what is refused, or nothing.
local function forbidden(key, stream, state, due, reads)
  local name = not may('XADD', stream, '*', 'key', '') and 'xadd'
    or not may('HSET', state, 'bytes', '') and 'hset'
  if reads and not name then
    local json, may_json = pcall(may, 'JSON.GET', key) -- an error: there is no RedisJSON
    name = not may('ZREM', due, key) and 'zrem'
      or not may('TYPE', key) and 'type'
      or not may('GET', key) and 'get'
      or json and not may_json and 'json.get'
  end
  return name and refuse('NOPERM', 'the queue of ' .. key .. " needs '" .. name .. "', which this user may not")
end

-- How much waits: entries and bytes.
local function waiting(stream, bytes)
  local depth = call('XLEN', stream)
  return depth, depth > 0 and tonumber(bytes or 0) or 0 -- whatever was counted, an empty stream has none
end

-- Property 7: bounded queue. Says why there is no room, or nothing.
local function no_room(depth, bytes, coming, most_entries, most_bytes)
  if depth == 0 then return end
  if depth >= most_entries then
    return refuse('WBFULL', depth .. ' entries wait, and ' .. most_entries .. ' may')
  elseif bytes + coming > most_bytes then
    return refuse('WBFULL', bytes .. ' bytes wait, and ' .. most_bytes .. ' may')
  end
end

-- Why there is no room, or nothing and the bytes that wait.
local function full(stream, bytes, coming, most_entries, most_bytes)
  local depth, waits = waiting(stream, bytes)
  local refusal = no_room(depth, waits, coming, most_entries, most_bytes)
  if refusal then return refusal end
  return nil, waits
end

-- When a document expires. Redis itself would delete it without an entry, so its own TTL is never
-- used: the time stands in a sorted set, and a worker deletes what is due.
local function expire(key, due, command, at)
  if call('EXISTS', key) == 0 then return 0 end
  if command == 'PERSIST' then return call('ZREM', due, key) end
  if command == 'PEXPIRE' then at = now_ms() + tonumber(at) end
  call('ZADD', due, string.format('%.0f', at), key)
  return 1
end

-- RENAME is a delete here and a write there, which may be another partition. Returns the first
-- entry's id (false: nothing changed), the reply, and the bytes that wait here.
local function rename(keys, bytes, last, most_entries, most_bytes)
  local key, new, text = keys[1], keys[5], text_of(keys[1])
  if not text then return false, redis.error_reply('ERR no such key') end
  if not is_json(text) then return false, no_json() end
  if key == new then return false, 'OK' end
  local there = call('HMGET', keys[7], 'bytes', 'last')
  local refusal, bytes_there = full(keys[6], there[1], #text, most_entries, most_bytes)
  if refusal then return false, refusal end
  local at = call('ZSCORE', keys[4], key) -- its time to live goes with it
  if at and not may('ZADD', keys[8], at, new) then
    return false, refuse('NOPERM', 'the queue of ' .. new .. " needs 'zadd', which this user may not")
  end
  call('RENAME', key, new)
  call('ZREM', keys[4], key)
  if at then call('ZADD', keys[8], at, new) else call('ZREM', keys[8], new) end
  local id = append(keys[2], last, key, '')
  bytes = bytes + #key
  if keys[7] == keys[3] then
    id = append(keys[2], id, new, text)
    return id, 'OK', bytes + #new + #text
  end
  local id_there = append(keys[6], there[2], new, text)
  call('HSET', keys[7], 'bytes', bytes_there + #new + #text, 'last', id_there)
  return id, 'OK', bytes
end

-- Why a change has to be refused before it is tried, or nothing.
local function improper(key, command, value, etag)
  if etag ~= '-' then
    local text = text_of(key)
    if etag ~= (text and redis.sha1hex(text) or 'absent') then
      return refuse('WBCONFLICT', 'the document has changed since it was read')
    end
  end
  if command == 'SET' then
    local kind = call('TYPE', key).ok
    if kind ~= 'string' and kind ~= 'none' then
      return redis.error_reply('WRONGTYPE the key holds a ' .. kind)
    elseif not is_json(value) then
      return no_json()
    end
  end
end

-- Whether a command brings the whole document, so that it need not be read. `first` is its first argument.
local function sets_whole(command, first)
  return command == 'SET' or command == 'JSON.SET' and ROOT[first]
end

-- The whole document after a command, '' if there is none. `first` and `second` are its arguments.
-- While its slot moves to another node, Redis lets nobody look for what is not here. It was here when the
-- function was let in, so it is gone; and an error now would leave that without an entry.
local function after(key, command, first, second)
  if command == 'JSON.SET' and ROOT[first] then return second end
  if command == 'SET' then return first end
  if command == 'DEL' then return '' end
  local text = try('JSON.GET', key)
  if not failed(text) then return text or '' end
  return match(text.err, 'non local key') and '' or error(text)
end

-- One change, whose arguments are args[from] to args[to], and its entry. Returns the entry's id (false:
-- nothing changed), the command's reply, and the bytes that wait now.
local function change(key, stream, due, bytes, last, command, args, from, to)
  if EXPIRES[command] then return false, expire(key, due, command, args[from]), bytes end
  local reply = try(command, key, unpack(args, from, to))
  local doc
  if failed(reply) then doc = PARTLY[command] and document(key)
  else doc = (reply or not SETS[command]) and after(key, command, args[from], args[from + 1]) end
  if not doc or failed(reply) and doc == '' then return false, reply, bytes end
  if doc == '' then try('ZREM', due, key) end -- an error: no document of ours expires
  return append(stream, last, key, doc), reply, bytes + #key + #doc
end

local function value_of(reply)
  if type(reply) == 'table' then return reply.ok or reply end
  return reply
end

-- A lane keeps "number id answer" of its last call; "number* …" if some of it was not taken for want
-- of room. A retry after a lost reply applies once: returns the id and the answer of this very call,
-- or nothing; or false and why it comes too late.
local function answered(kept, sequence)
  if not kept then return end
  local done, id, answer = match(kept, '^(%d+)%*? (%S+) ?(.*)$')
  if done == sequence then return id, answer end
  if tonumber(done) > tonumber(sequence) then
    return false, refuse('WBLATE', 'a later call of the same client has passed this one')
  end
end

-- What came of a call is kept for a retry. `kept` is what its lane had so far. Returns the id and the reply.
local function finished(state, lane, sequence, kept, id, reply, bytes)
  local value = value_of(reply)
  local now = sequence .. ' ' .. (id or '0-0')
  if value ~= 'OK' then now = now .. ' ' .. cjson.encode({ value }) end
  if id then
    call('HSET', state, 'bytes', bytes, 'last', id, lane, now)
  else
    call('HSET', state, lane, now)
  end
  if not kept then prune(state) end
  return id, value
end

-- What was answered to a call, once more.
local function retold(id, answer)
  local value = answer == '' and 'OK' or cjson.decode(answer)[1]
  return failed(value) and redis.error_reply(value.err) or { id ~= '0-0' and id, value }
end

local function overtakes()
  return refuse('WBORDER', 'the write before this one in the pipeline was refused')
end

local function out_of_order(kept, sequence)
  if match(kept or '', '^(%d+) ') ~= sequence then return overtakes() end
end

-- What callers say of a queue, in the same words each time: taken apart once.
local heads, head_count = {}, 0
local function head_of(text)
  local head = heads[text]
  if not head then
    local version, what, entries, bytes, resp = match(text, '^(%S+) (%S+) (%S+) (%S+) ?(%S*)$')
    head = {
      other = other_version(version), what = what, entries = tonumber(entries), bytes = tonumber(bytes), resp = resp,
    }
    if head_count == 500 then heads, head_count = {}, 0 end
    heads[text], head_count = head, head_count + 1
  end
  return head
end

-- Property 1: atomic capture. Redis refuses the call as a whole when it is out of memory, read-only
-- or cannot save; everything that may fail here is asked before anything is changed.
-- KEYS document, stream, state, due (and for RENAME those of the new name)
-- ARGV "version lane sequence before sequence entries bytes etag", command, its arguments; `before`
--      is the lane of the write that has to be in first, `entries` and `bytes` may wait; - for none
-- Returns the entry's id (false: nothing changed) and the command's reply.
local function write(keys, args)
  local version, lane, sequence, before, before_sequence, most_entries, most_bytes, etag =
    match(args[1], '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  local other = other_version(version)
  if other then return other end
  most_entries, most_bytes = tonumber(most_entries), tonumber(most_bytes)
  local key, stream, state, due, command = keys[1], keys[2], keys[3], keys[4], args[2]
  if not CHANGES[command] then return refuse('WBCOMMAND', command .. ' cannot be captured') end

  local known = call('HMGET', state, 'bytes', 'last', lane, before)
  local done, answer = answered(known[3], sequence)
  if done then return retold(done, answer) end
  local refusal = answer or before ~= '-' and out_of_order(known[4], before_sequence)
  if refusal then return refusal end
  local whole = sets_whole(command, args[3])
  local no_right = forbidden(key, stream, state, due, not whole)
    or command == 'RENAME' and forbidden(keys[5], keys[6], keys[7], keys[8], true)
  if no_right then return no_right end
  local no_space, bytes = full(stream, known[1], #(args[4] or args[3] or ''), most_entries, most_bytes)
  if no_space and not EXPIRES[command] then return no_space end

  local id, reply = false, improper(key, command, args[3], etag)
  if reply then -- refused
  elseif command == 'RENAME' then
    id, reply, bytes = rename(keys, bytes, known[2], most_entries, most_bytes)
    if failed(reply) and match(reply.err, '^WBFULL') then return reply end
  else
    id, reply, bytes = change(key, stream, due, bytes, known[2], command, args, 3, #args)
  end

  local value
  id, value = finished(state, lane, sequence, known[3], id, reply, bytes)
  return failed(value) and value or { id, value }
end

-- Property 1, for what is written most: a whole document, on no condition. It does what `write` does, and
-- spends little time in Lua.
-- KEYS document, stream, state. ARGV "version command entries bytes", lane, sequence (all of its caller's
-- have one width), the document. Returns the entry's id, or what `write` returns.
local function set(keys, args)
  local head = head_of(args[1])
  if head.other then return head.other end
  local key, stream, state, command = keys[1], keys[2], keys[3], head.what
  local lane, sequence, doc = args[2], args[3], args[4]
  if not SETS[command] then return refuse('WBCOMMAND', command .. ' sets no document') end
  local known = call('HMGET', state, 'bytes', 'last', lane)
  local kept = known[3]
  if kept and kept >= sequence then -- it has come before, or comes too late
    local done, answer = answered(kept, sequence)
    return done and retold(done, answer) or answer
  end
  local refusal, bytes = forbidden(key, stream, state), nil
  if not refusal then refusal, bytes = full(stream, known[1], #doc, head.entries, head.bytes) end
  if refusal then return refusal end

  local reply = command == 'JSON.SET' and try(command, key, '$', doc)
    or improper(key, command, doc, '-') or try(command, key, doc)
  local id = not failed(reply) and append(stream, known[2], key, doc)
  local value
  id, value = finished(state, lane, sequence, kept, id, reply, bytes + #key + #doc)
  return id or value
end

-- Property 1, for a pipeline: several documents of one partition in one call, each with its entry or
-- refused by itself. After a refusal for want of room the next change of that key is refused, too: no
-- retry overtakes. What need not be asked for each document is asked once.
-- KEYS stream, state, due, then the documents
-- ARGV "version lane sequence entries bytes", the number of calls that have to be in first, lane and
--      sequence of each, then for each document: command, number of its arguments, its arguments
-- Returns for each: the id of its entry if the reply is OK; else the id (or false) and the reply, or an error.
local function bundle(keys, args)
  local version, lane, sequence, most_entries, most_bytes =
    match(args[1], '^(%S+) (%S+) (%S+) (%S+) (%S+)$')
  local other = other_version(version)
  if other then return other end
  most_entries, most_bytes = tonumber(most_entries), tonumber(most_bytes)
  local stream, state, due = keys[1], keys[2], keys[3]
  local known = call('HMGET', state, 'bytes', 'last', lane)
  local done, answer = answered(known[3], sequence)
  if done then return cjson.decode(answer) end
  local refusal, at = answer, 3 + 2 * tonumber(args[2])
  for i = 3, at - 2, 2 do
    refusal = refusal or out_of_order(call('HGET', state, args[i]), args[i + 1])
  end
  refusal = refusal or forbidden(keys[4], stream, state, due, false)
  if refusal then return refusal end

  local depth, bytes = waiting(stream, known[1])
  local last, answers, blocked, kept = known[2], {}, {}, false
  for n = 4, #keys do
    local key, command, count = keys[n], args[at], tonumber(args[at + 1])
    local from, to = at + 2, at + 1 + count
    local whole = sets_whole(command, args[from])
    local id, reply = false, nil
    at = to + 1
    if blocked[key] then
      reply = overtakes()
    elseif not CHANGES[command] or command == 'RENAME' then
      reply = refuse('WBCOMMAND', command .. ' cannot be captured')
    else
      reply = not whole and forbidden(key, stream, state, due, true) or nil
      if not reply and not EXPIRES[command] then
        local coming = #(count > 1 and args[from + 1] or count > 0 and args[from] or '')
        reply = no_room(depth, bytes, coming, most_entries, most_bytes)
        blocked[key] = reply
      end
      if not reply then
        reply = improper(key, command, args[from], '-')
        if not reply then id, reply, bytes = change(key, stream, due, bytes, last, command, args, from, to) end
        kept = true
      end
    end
    if id then depth, last = depth + 1, id end
    local value = value_of(reply)
    if failed(value) then answers[n - 3] = { err = value.err }
    elseif id and value == 'OK' then answers[n - 3] = id
    else answers[n - 3] = { id, value } end
  end
  if kept then
    local mark = next(blocked) and '* ' or ' '
    call('HSET', state, lane, sequence .. mark .. (last or '0-0') .. ' ' .. cjson.encode(answers))
    if last ~= known[2] then call('HSET', state, 'bytes', bytes, 'last', last) end
    if not known[3] then prune(state) end
  end
  return answers
end

-- Commands of any client that `wb_capture` runs: where the value of a string stands, or PAIRS, else true.
local PAIRS = 'pairs'
local CAPTURED = {
  ['SET'] = 3, ['SETNX'] = 3, ['GETSET'] = 3, ['SETEX'] = 4, ['PSETEX'] = 4, ['MSET'] = PAIRS, ['MSETNX'] = PAIRS,
  ['JSON.SET'] = true, ['JSON.MSET'] = true, ['JSON.MERGE'] = true, ['JSON.DEL'] = true, ['JSON.FORGET'] = true,
  ['JSON.NUMINCRBY'] = true, ['JSON.NUMMULTBY'] = true, ['JSON.ARRAPPEND'] = true,
  ['JSON.ARRINSERT'] = true, ['JSON.ARRPOP'] = true, ['JSON.ARRTRIM'] = true,
  ['JSON.STRAPPEND'] = true, ['JSON.TOGGLE'] = true, ['JSON.CLEAR'] = true, ['DEL'] = true,
  ['UNLINK'] = true, ['GETDEL'] = true, ['RENAME'] = true, ['RENAMENX'] = true,
}
local TIMES = { ['EXPIRE'] = true, ['PEXPIRE'] = true, ['EXPIREAT'] = true, ['PEXPIREAT'] = true,
  ['PERSIST'] = true, ['GETEX'] = true } -- Redis keeps the time: `reconcile` finds what expired
local MOVES = { ['RENAME'] = true, ['RENAMENX'] = true }
local NUMBERS = { ['JSON.NUMINCRBY'] = true, ['JSON.NUMMULTBY'] = true }

-- What a client's command answers, as Redis would tell this client itself, and whether that is an error.
local function answer(command, args, resp)
  local in_resp3 = resp == '3' and NUMBERS[command] -- where numbers come as numbers; a null ends a table there
  if in_resp3 then redis.setresp(3) end
  local reply = try(unpack(args, 2))
  if in_resp3 then redis.setresp(2) end
  local fails = failed(reply)
  if fails then
    local refused = match(fails, '^ERR ACL failure in script: (.*)$')
    return refused and redis.error_reply('NOPERM ' .. refused) or reply, true
  end
  local kinds = in_resp3 and try('JSON.TYPE', args[3], args[4])
  if kinds and type(reply) == 'table' and not failed(kinds) then
    local count = type(kinds) == 'table' and #kinds or 1 -- an old path is about one place
    for i = 1, count do if reply[i] == nil then reply[i] = false end end
  end
  return reply
end

-- Why a client's command is refused before it runs, or nothing.
local function uncapturable(command, keys, args)
  local value = CAPTURED[command]
  if not (value or TIMES[command]) or #args > 4000 then
    return refuse('WBCOMMAND', command .. ' cannot be captured')
  elseif value == PAIRS then
    local ours = {}
    for i = 2, #keys, 4 do ours[keys[i]] = true end
    for i = 3, #args, 2 do
      if ours[args[i]] and not is_json(args[i + 1]) then return no_json() end
    end
  elseif value and value ~= true and not is_json(args[value + 1]) then
    return no_json()
  elseif MOVES[command] then
    local doc = document(args[3])
    if not doc then return redis.error_reply('WRONGTYPE the key holds no document') end
    if doc ~= '' and not is_json(doc) then return no_json() end
  end
end

local function no_queue(partitions)
  if partitions == '0' then
    return refuse('WBCONFIG', 'a key names a partition that its queue has not, or keys of two queues are in one command')
  end
  return refuse('WBCONFIG', 'this database has no queue of ' .. partitions .. ' partitions: start its worker')
end

-- What may wait and what does, asked before clients' own commands. Returns what the user may not, or nothing;
-- why there is no room, or nothing; by partition the bytes that wait, and the last version.
local function asked(keys, head, coming, reads)
  local refusal, bytes, last = nil, {}, {}
  for i = 2, #keys, 4 do
    local stream, state = keys[i + 1], keys[i + 2]
    local no_right = forbidden(keys[i], stream, state, keys[i + 3], reads)
    if no_right then return no_right end
    local known = call('HMGET', state, 'bytes', 'last')
    local no_space, waits = full(stream, known[1], coming, head.entries, head.bytes)
    refusal = refusal or no_space
    bytes[stream], last[stream] = waits or tonumber(known[1] or 0), known[2]
  end
  return nil, refusal, bytes, last
end

-- An entry for the document whose keys begin at `i`, '' if it is gone.
local function entered(keys, i, doc, bytes, last)
  local key, stream, state = keys[i], keys[i + 1], keys[i + 2]
  if doc == '' then call('ZREM', keys[i + 3], key) end
  bytes[stream] = bytes[stream] + #key + #doc
  last[stream] = append(stream, last[stream], key, doc)
  call('HSET', state, 'bytes', bytes[stream], 'last', last[stream])
end

-- Whether a document has an entry, '' if it is gone, after a command that may have failed. What holds no document is as it was.
local function is_entry(doc, command, fails)
  if doc == '' then return not fails end
  return doc and not TIMES[command]
end

-- Property 1, for clients that know nothing of it: their own command, and an entry for each document
-- as it then is. Room is asked for first, so that a full queue leaves everything as it was.
-- KEYS config, then document, stream, state, due for each document
-- ARGV "version partitions entries bytes resp", the command as the client sent it. Returns its reply.
local function capture(keys, args)
  local head = head_of(args[1])
  if head.other then return head.other end
  if call('HGET', keys[1], 'partitions') ~= head.what then return no_queue(head.what) end
  local command, coming = string.upper(args[2]), 0
  for i = 3, #args do coming = coming + #args[i] end
  local refusal = uncapturable(command, keys, args)
  local root = command == 'JSON.SET' and ROOT[args[4]]
  local no_right, no_space, bytes, last = asked(keys, head, coming, not root)
  refusal = no_right or not TIMES[command] and (refusal or no_space)
  if refusal then return refusal end

  local reply, fails = answer(command, args, head.resp)
  if fails and not PARTLY[command] then return reply end
  for i = 2, #keys, 4 do
    local doc = root and reply and args[5] or document(keys[i])
    if is_entry(doc, command, fails) then entered(keys, i, doc, bytes, last) end
  end
  return reply
end

-- What is known of the partition whose document's keys begin at `i`; each is asked once in a call.
local function place_of(keys, i, places)
  local stream, state = keys[i + 1], keys[i + 2]
  local place = places[stream]
  if not place then
    local known = call('HMGET', state, 'bytes', 'last')
    local depth, bytes = waiting(stream, known[1])
    place = { depth = depth, bytes = bytes, last = known[2], refuses = forbidden(keys[i], stream, state) ~= nil }
    places[stream] = place
  end
  return place
end

-- One command of one document, whose keys begin at `i`; `args` are as of `capture`.
local function captured(keys, i, args, head, places)
  local key, stream, state, due = keys[i], keys[i + 1], keys[i + 2], keys[i + 3]
  local place = place_of(keys, i, places)
  local command, coming = string.upper(args[2]), 0
  for n = 3, #args do coming = coming + #args[n] end
  local root = command == 'JSON.SET' and ROOT[args[4]]
  local refusal = (place.refuses or not root) and forbidden(key, stream, state, due, not root)
    or not TIMES[command] and (uncapturable(command, keys, args)
      or no_room(place.depth, place.bytes, coming, head.entries, head.bytes))
  if refusal then return refusal end

  local reply, fails = answer(command, args, head.resp)
  if fails and not PARTLY[command] then return reply end
  local doc = root and reply and args[5] or document(key)
  if not is_entry(doc, command, fails) then return reply end
  if doc == '' then call('ZREM', due, key) end
  place.last = append(stream, place.last, key, doc)
  place.state, place.depth, place.bytes = state, place.depth + 1, place.bytes + #key + #doc
  return reply
end

-- Property 1, for commands of several clients at a time, of one document each. Each is taken or refused by itself.
-- KEYS as of `capture`. ARGV "version partitions entries bytes resp", then before each command the number of its words.
local function captures(keys, args)
  local head = head_of(args[1])
  if head.other then return head.other end
  if call('HGET', keys[1], 'partitions') ~= head.what then return no_queue(head.what) end
  local places, replies, at = {}, {}, 2
  for n = 1, (#keys - 1) / 4 do
    local to = at + tonumber(args[at])
    local fine, reply = pcall(captured, keys, 4 * n - 2, { args[1], unpack(args, at + 1, to) }, head, places)
    if not fine then reply = { err = type(reply) == 'table' and reply.err or reply } end
    replies[n] = reply
    at = to + 1
  end
  for _, place in pairs(places) do
    if place.state then try('HSET', place.state, 'bytes', place.bytes, 'last', place.last) end
  end
  return replies
end

-- Property 1, for scripts and functions of clients, which no function may run. The door calls `wb_script_begins`,
-- which says whether there is room; then in one transaction the same again, the script, and `wb_script_ended`.
local seen = {} -- the documents before the script

-- KEYS as of `capture`. ARGV "version partitions entries bytes resp", bytes of the script's arguments.
local function script_begins(keys, args)
  seen = {}
  local head = head_of(args[1])
  if head.other then return head.other end
  if call('HGET', keys[1], 'partitions') ~= head.what then return no_queue(head.what) end
  local no_right, no_space = asked(keys, head, tonumber(args[2]), true)
  if no_right then return no_right end
  for i = 2, #keys, 4 do
    local doc = document(keys[i])
    if not doc then return redis.error_reply('WRONGTYPE ' .. keys[i] .. ' holds no document') end
    seen[keys[i]] = doc
  end
  return no_space or 'OK'
end

-- Has an entry for each document that the script has changed: there was room, as far as was known then.
-- KEYS and ARGV as above. Refuses what the script has made of a key if that is no document: it has no entry.
local function script_ended(keys, args)
  local head, refusal = head_of(args[1]), nil
  if head.other then return head.other end
  local no_right, _, bytes, last = asked(keys, head, 0, true)
  if no_right then return no_right end
  for i = 2, #keys, 4 do
    local key = keys[i]
    local doc = document(key)
    if not doc then
      refusal = redis.error_reply('WRONGTYPE ' .. key .. ' holds no document after the script')
    elseif doc ~= seen[key] then
      if doc == '' or is_json(doc) then entered(keys, i, doc, bytes, last)
      else refusal = refuse('WBJSON', key .. ' holds no JSON after the script') end
    end
  end
  seen = {}
  return refusal or 'OK'
end

-- The documents that are due. A worker that may not delete them is told so while there are none, too.
-- KEYS stream, state, due. ARGV version, how many.
local function due(keys, args)
  return other_version(args[1]) or forbidden('what expires', keys[1], keys[2], keys[3], false)
    or call('ZRANGEBYSCORE', keys[3], '-inf', now_ms(), 'LIMIT', 0, args[2])
end

-- Delete, with an entry each, those of some documents that are due. Redis has to know them as keys: while a
-- cluster's slot moves, a document may be here and its queue there, and then it lets nobody at either.
-- KEYS stream, state, due, documents (callers of versions 1 to 7 name none: all that are due, up to a fourth
-- argument). ARGV version, most entries, most bytes. Returns how many.
local function sweep(keys, args)
  local other = other_version(args[1])
  if other then return other end
  local no_right = forbidden('what expires', keys[1], keys[2], keys[3], false)
  if no_right then return no_right end
  local now, gone = now_ms(), 0
  local named = keys[4] and { unpack(keys, 4) }
    or call('ZRANGEBYSCORE', keys[3], '-inf', now, 'LIMIT', 0, args[4])
  for _, key in ipairs(named) do
    if tonumber(call('ZSCORE', keys[3], key) or math.huge) <= now then -- not called off meanwhile
      local known = call('HMGET', keys[2], 'bytes', 'last')
      local refusal, bytes = full(keys[1], known[1], #key, tonumber(args[2]), tonumber(args[3]))
      if refusal then return gone end -- the rest when there is room
      call('DEL', key)
      call('ZREM', keys[3], key)
      local id = append(keys[1], known[2], key, '')
      call('HSET', keys[2], 'bytes', bytes + #key, 'last', id)
      gone = gone + 1
    end
  end
  return gone
end

-- The document's text, or false. As a function, because redis-py decodes JSON.GET once `.json()` was
-- called on a client. KEYS document.
local function get(keys)
  return text_of(keys[1])
end

-- How long a document has to live. KEYS document, due. Returns milliseconds, or -1 and -2 as PTTL.
local function ttl(keys)
  local at = call('ZSCORE', keys[2], keys[1])
  if call('EXISTS', keys[1]) == 0 then return -2 end
  return at and math.max(0, tonumber(at) - now_ms()) or call('PTTL', keys[1])
end

-- An id as the databases compare it: digits of one length.
local function version_of(id)
  local ms, seq = match(id, '(%d+)-(%d+)')
  return ('0'):rep(20 - #ms) .. ms .. '-' .. ('0'):rep(20 - #seq) .. seq
end

-- Gives the version that it had to each entry that is not the last of its key; one that was requeued
-- has its own, and is the last of none.
local function keep_versions(entries)
  local keys, last = {}, {}
  for n, entry in ipairs(entries) do
    local fields = {}
    for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
    if fields.key and not fields.version then
      keys[n], last[fields.key] = fields.key, n
    end
  end
  for n, entry in ipairs(entries) do
    if keys[n] and last[keys[n]] ~= n then
      table.insert(entry[2], 'version')
      table.insert(entry[2], version_of(entry[1]))
    end
  end
end

-- Versions go on from the greatest that the database has, if Redis has lost its stream. If entries
-- were captured before this, all that wait are given new ids, in their order: those alone which are
-- behind would come after the newer ones of their keys. Of each key only the last gets a new version:
-- the database may have it already, and would go back to those before it for a moment.
-- KEYS stream, state, lease. ARGV version, token, group, stream id. Returns how many were moved.
local function forward(keys, args)
  local other = other_version(args[1])
  if other then return other end
  if call('GET', keys[3]) ~= args[2] then return refuse('WBLEASE', 'the lease is lost') end
  local behind = call('XRANGE', keys[1], '-', args[4], 'COUNT', 1)[1]
  local moved, entries = 0, behind and call('XRANGE', keys[1], '-', '+') or {}
  local info, last = call('XINFO', 'STREAM', keys[1]), '0-0'
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
  end
  if later(args[4], last) then call('XSETID', keys[1], args[4]) end
  keep_versions(entries)
  for _, entry in ipairs(entries) do
    local id = call('XADD', keys[1], '*', unpack(entry[2]))
    call('XACK', keys[1], args[3], entry[1])
    call('XDEL', keys[1], entry[1])
    last, moved = id, moved + 1
  end
  call('HSET', keys[2], 'opened', 1, 'last', later(args[4], last) and args[4] or last)
  return moved
end

-- Property 9: a dead letter goes back into the queue, under its own version: if the key was written
-- since, the fence knows. KEYS stream, state, dead. ARGV version, the letter's id, its version.
local function requeue(keys, args)
  local other = other_version(args[1])
  if other then return other end
  local letter = call('XRANGE', keys[3], args[2], args[2])[1]
  if not letter then return false end
  local fields = {}
  for i = 1, #letter[2], 2 do fields[letter[2][i]] = letter[2][i + 1] end
  local known = call('HMGET', keys[2], 'bytes', 'last')
  local _, bytes = full(keys[1], known[1], 0, math.huge, math.huge)
  local id = append(keys[1], known[2], fields.key, fields.doc, 'version', args[3])
  call('HSET', keys[2], 'bytes', bytes + #fields.key + #fields.doc, 'last', id)
  call('XDEL', keys[3], args[2])
  return id
end

-- What a worker would be refused once it has entries in its hands, asked before: what was written stays
-- unacknowledged then, and its dead letters would be kept again and again. Says what is refused, or nothing.
local function cannot_settle(stream, state, dead, group, delete)
  local name = not may('XREADGROUP', 'GROUP', group, group, 'STREAMS', stream, '>') and 'xreadgroup'
    or not may('XADD', dead, '*', 'id', '') and 'xadd'
    or not may('HSET', state, 'bytes', '') and 'hset'
  if not (name or delete == 'XACKDEL' and may(delete, stream, group, 'IDS', 1, '0-0')) then
    name = not may('XACK', stream, group, '0-0') and 'xack' or not may('XDEL', stream, '0-0') and 'xdel'
  end
  return name and refuse('NOPERM', 'a worker on ' .. stream .. " needs '" .. name .. "', which this user may not")
end

-- KEYS stream, state, lease, dead. ARGV version, owner, milliseconds, group, XACKDEL or '' (callers of
-- versions 1 to 5 say neither the last key nor the last two words). Returns the fencing token, or false.
local function lease(keys, args)
  local other = other_version(args[1])
    or keys[4] and cannot_settle(keys[1], keys[2], keys[4], args[4], args[5])
  if other then return other end
  -- A lease without an end, or with one far away, is a stranger's, or Redis's clock stepped back.
  local left = call('PTTL', keys[3])
  if left > 0 and left <= 10 * tonumber(args[3]) then return false end
  local token = call('HINCRBY', keys[2], 'fence', 1) .. ' ' .. args[2]
  call('SET', keys[3], token, 'PX', args[3])
  return token
end

-- How many workers live, the caller among them. KEYS workers. ARGV version, its name, seconds until
-- it is taken for dead (0: it leaves).
local function share(keys, args)
  local other = other_version(args[1])
  if other then return other end
  local now = now_ms()
  if args[3] == '0' then call('ZREM', keys[1], args[2])
  else call('ZADD', keys[1], now + args[3] * 1000, args[2]) end
  call('ZREMRANGEBYSCORE', keys[1], '-inf', now)
  if args[3] ~= '0' then -- whoever lives that long said so before Redis's clock stepped back
    call('ZREMRANGEBYSCORE', keys[1], now + args[3] * 10000, '+inf')
  end
  return call('ZCARD', keys[1])
end

-- The consumer group, from the stream's beginning: what was acknowledged has left the stream, so
-- nothing is skipped and little is read twice. KEYS stream. ARGV version, group.
local function group(keys, args)
  local other = other_version(args[1])
  if other then return other end
  local reply = try('XGROUP', 'CREATE', keys[1], args[2], '0', 'MKSTREAM')
  if failed(reply) and not match(reply.err, 'BUSYGROUP') then return reply end
  return 'OK'
end

-- KEYS lease. ARGV version, token, milliseconds (0: give it back). Returns whether it was held.
local function renew(keys, args)
  if call('GET', keys[1]) ~= args[2] then return 0 end
  if args[3] == '0' then call('DEL', keys[1]) else call('PEXPIRE', keys[1], args[3]) end
  return 1
end

-- Property 2: acknowledge, after the database has committed. Acknowledged entries leave the stream.
-- KEYS stream, state, lease, dead
-- ARGV version, token, group, XACKDEL or '', bytes, number of ids, ids,
--      then for each dead letter: id, key, doc, error, attempts
local function settle(keys, args)
  local other = other_version(args[1])
  if other then return other end
  if call('GET', keys[3]) ~= args[2] then return refuse('WBLEASE', 'the lease is lost') end
  local group, count, gone = args[3], tonumber(args[6]), 0
  -- Whatever may fail does so before anything is changed: rights, and a key that a stranger has made another type of.
  local no_right = cannot_settle(keys[1], keys[2], keys[4], group, args[4])
  if no_right then return no_right end
  call('XLEN', keys[1])
  call('XLEN', keys[4])
  local bytes = tonumber(call('HGET', keys[2], 'bytes') or 0)
  for i = 7 + count, #args, 5 do
    call('XADD', keys[4], '*', 'id', args[i], 'key', args[i + 1], 'doc', args[i + 2],
      'error', args[i + 3], 'attempts', args[i + 4])
  end
  for i = 7, 6 + count, 1000 do
    local last = math.min(i + 999, 6 + count)
    local each = args[4] == 'XACKDEL'
      and try('XACKDEL', keys[1], group, 'IDS', last - i + 1, unpack(args, i, last))
    if each and not failed(each) then
      for _, one in ipairs(each) do if one == 1 then gone = gone + 1 end end
    else
      call('XACK', keys[1], group, unpack(args, i, last))
      gone = gone + call('XDEL', keys[1], unpack(args, i, last))
    end
  end
  local left = bytes - tonumber(args[5]) * gone / math.max(count, 1)
  call('HSET', keys[2], 'bytes', math.max(0, math.floor(left)))
  return gone
end

-- What Redis does when it is full.
local function policy()
  local said = try('INFO', 'memory')
  said = type(said) == 'table' and (said.verbatim_string or said) or said
  said = type(said) == 'table' and said.string or said
  return type(said) == 'string' and match(said, 'maxmemory_policy:([%w-]+)') or ''
end

local function register(name, callback, flags)
  local function run(keys, args)
    if not call then call, try, may, match = redis.call, redis.pcall, redis.acl_check_cmd, string.match end
    return callback(keys, args)
  end
  redis.register_function { function_name = name, callback = run, flags = flags }
end

register('wb_version', function() return VERSION end, { 'no-writes' })
register('wb_policy', policy, { 'no-writes' })
register('wb_write', write, {}) -- no allow-oom: refused before it begins
register('wb_set', set, {})
register('wb_bundle', bundle, {})
register('wb_capture', capture, {})
register('wb_captures', captures, {})
register('wb_script_begins', script_begins, {})
register('wb_script_ended', script_ended, { 'allow-oom' }) -- the script has been let begin
register('wb_due', due, { 'no-writes' })
register('wb_sweep', sweep, { 'allow-oom' }) -- it frees memory
register('wb_requeue', requeue, {})
register('wb_get', get, { 'no-writes' })
register('wb_ttl', ttl, { 'no-writes' })
register('wb_forward', forward, { 'allow-oom' })
register('wb_share', share, { 'allow-oom' })
register('wb_group', group, { 'allow-oom' })
register('wb_lease', lease, { 'allow-oom' })
register('wb_renew', renew, { 'allow-oom' })
register('wb_settle', settle, { 'allow-oom' }) -- it frees memory
