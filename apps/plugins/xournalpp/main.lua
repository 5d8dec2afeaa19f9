-- Calls the command `notes` for the open document, from the menu Plugin. Xournal++ 1.1.3 does
-- not tell a plugin the name of the document. So the document is saved, and found as the recent
-- file that has changed. Xournal++ saves it in a thread of its own, also while Lua runs; but a new
-- name may be among the recent files only after a dialog.

local program = require("program") -- written by `notes NOTES --install-plugin`
local MAX_RECENT = 50              -- recent documents that are looked at (assumed)
local SAVE_SECONDS = 2             -- in which a document is saved, at least (assumed)
local WAIT_SECONDS = 15            -- until the person is asked whether to wait (assumed)
local viewer                       -- file with the output of the viewer that was started

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function output_of(command)
  local pipe = io.popen(command)
  local text = pipe:read("a")
  pipe:close()
  return text
end

local function show(text, ...)
  return app.msgbox(utf8.len(text) and text or text:gsub("[\128-\255]", "?"), {...})
end

-- Returns the times at which the recent documents were changed, by path.
local function change_times()
  local data = os.getenv("XDG_DATA_HOME") or os.getenv("HOME") .. "/.local/share"
  local content = output_of("cat " .. quoted(data .. "/recently-used.xbel") .. " 2>/dev/null")
  local recent, paths, times = {}, {}, {}
  for address, time in content:gmatch('href="file://([^"]*)"[^>]-modified="([^"]*)"') do
    local path = address:gsub("&(%a+);", {amp = "&", apos = "'", quot = '"', lt = "<", gt = ">"})
    path = path:gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end)
    if path:lower():match("%.xopp$") then table.insert(recent, {time, quoted(path)}) end
  end
  table.sort(recent, function(a, b) return a[1] > b[1] end)
  for n = 1, math.min(#recent, MAX_RECENT) do paths[n] = recent[n][2] end
  local command = "stat --printf='%y\\t%n\\0' -- " .. table.concat(paths, " ") .. " 2>/dev/null"
  for time, path in output_of(command):gmatch("([^\t]*)\t([^\0]*)\0") do times[path] = time end
  return times
end

-- Saves the document; returns its path, or nothing if it is not found.
local function saved_document()
  local before = change_times()
  app.uiAction({action = "ACTION_SAVE"})
  repeat
    local deadline = os.time() + SAVE_SECONDS
    repeat
      for path, time in pairs(change_times()) do
        local is_new = time ~= before[path]
        if is_new and os.execute("gzip -t " .. quoted(path) .. " 2>/dev/null") then return path end
      end
      os.execute("sleep 0.1")
    until os.time() > deadline
  until show("The document was not saved, or its name is new.", "Look again", "Cancel") ~= 1
end

-- Runs the command `notes` in the background; returns its output when it has ended, or else nil
-- and the file with the output. What serves has an address then, and ends with Xournal++.
local function run_notes(arguments, serves)
  local log = os.tmpname()
  local watch = "while kill -0 $pid && kill -0 $PPID; do sleep 1; done; kill $pid"
  watch = serves and "{ " .. watch .. "; } 2>/dev/null; " or ""
  local command = "{ " .. program.command .. " -r "
  command = command .. quoted(program.reader) .. arguments .. " & pid=$!; " .. watch
  command = command .. 'wait $pid; echo "status $?"; }'
  os.execute(command .. " </dev/null >" .. log .. " 2>&1 &")
  local deadline = os.time() + WAIT_SECONDS
  while true do
    local text = output_of("sleep 0.2; cat " .. log)
    local said = text:match("^(.-)status %d+\n$")
    if said then os.remove(log) end
    if said or serves and text:match("http://") then return said, not said and log end
    if os.time() > deadline then
      if show("Reading new pages.", "Wait", "Leave it running") ~= 1 then return nil, log end
      deadline = os.time() + WAIT_SECONDS
    end
  end
end

-- Saves the document in another form; asks before it replaces a file that may have been edited.
local function save_as(ending, arguments, asks)
  local path = saved_document()
  if not path then return end
  local output = path:gsub("%.%w+$", ending)
  local is_there = asks and io.open(output)
  if is_there and show(output .. " is there.", "Replace it", "Cancel") ~= 1 then return end
  arguments = " " .. quoted(path) .. " --any-pdf --output " .. quoted(output) .. arguments
  local said = run_notes(arguments)
  if said then show(said, "OK") end
end

function savePdf() save_as("%0.pdf", "") end
function saveText() save_as("%0.txt", "", true) end

function levelPage()
  local page = app.getDocumentStructure().currentPage
  save_as(" level%0", " --ink level --page " .. page, true)
end

function searchNotes()
  local text = viewer and output_of("cat " .. viewer) or "status 0\n"
  if not text:match("status %d+\n$") then
    local browser = quoted(program.python) .. " -I -m webbrowser "
    return os.execute(browser .. quoted(text:match("http://%S+") or "") .. " >/dev/null 2>&1 &")
  end
  text, viewer = run_notes(" " .. quoted(program.notes) .. " --view", true)
  if text then show(text, "OK") end
end

function initUi()
  local function add(key, callback, name)
    local title, keys = "Handwriting: " .. name, "<Shift><Alt>" .. key
    app.registerUi({menu = title, callback = callback, accelerator = keys})
  end
  add("p", "savePdf", "searchable PDF")
  add("e", "saveText", "text beside it")
  add("l", "levelPage", "level this page")
  add("f", "searchNotes", "search in my notes")
end
