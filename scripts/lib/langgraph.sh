# SPDX-License-Identifier: Apache-2.0
# The story of a LangGraph server without any login of its own, behind the site
# of examples/gateway; sourced by demo.

site_config=docs/examples/demo/gateway.conf.in
site_policy=docs/examples/gateway/gateway-policy.lua
realm=localhost

# The server of the tests, with their graph: it says "echo: " and what it was
# told, and whom it believes to run for.
start_backend() {
  local options try
  need_node "$top/build/node" "$log" && need_npm tests/http "$log" || return 1
  mkdir "$dir/agents" && mkfifo "$dir/agents/life" || return 1
  options=$(printf '{"port":0,"host":"127.0.0.1","nWorkers":10,"cwd":"%s",%s' \
    "$dir/agents" "\"graphs\":{\"agent\":\"$top/tests/http/lib/graph.mjs:graph\"}}")
  # It ends when nobody holds the other end any more.
  LOG_LEVEL=warn LANGSMITH_TRACING=false node tests/http/lib/langgraph-child.mjs \
    "$options" <"$dir/agents/life" >"$dir/logs/agents.log" 2>&1 &
  server=$!
  exec 9>"$dir/agents/life"
  for try in $(seq 600); do
    backend_url=$(sed -n 's|^LISTENING |http://|p' "$dir/logs/agents.log")
    [ -z "$backend_url" ] || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$dir/logs/agents.log" >&2
  return 1
}

# write_site PORT: the example with the ports and paths of this place
write_site() {
  sed -e "s|/usr/lib/apache2/modules/mod_agentauth.so|$build/.libs/mod_agentauth.so|" \
    -e "s|127.0.0.1:80>|127.0.0.1:$1>|" -e "s|http://127.0.0.1:2024|$backend_url|" \
    -e "s|/etc/agentauth/gateway-policy.lua|$dir/policy.lua|" \
    docs/examples/gateway/httpd.conf >"$dir/site.conf"
}

accounts() {
  make_user alice && make_user bob && make_user carol --permission admin
}

# member NAME: of the last answer, a text
member() {
  local rest=${body#*\"$1\":\"}
  echo "${rest%%\"*}"
}

run_of() {
  printf '{"assistant_id":"agent","input":{"text":"%s"}%s}' "$1" "${2-}"
}

story_of_threads() {
  ask '' POST /threads/search '{}'
  step 'Nobody is refused' 'POST /threads/search, no key' 401 401 \
    '*"error":"authentication required"*'
  ask "$alice" POST /threads '{"metadata":{"topic":"tea"}}'
  thread=$(member thread_id)
  step 'What is made bears its owner' \
    'POST /threads {"metadata":{"topic":"tea"}}, key of alice' \
    '200, metadata.owner is alice, her topic is kept' 200 \
    '*"owner":"alice"*' '*"topic":"tea"*'
  ask "$bob" POST /threads '{"metadata":{"owner":"alice","topic":"ale"}}'
  his=$(member thread_id)
  step 'A client cannot choose the owner' \
    'POST /threads {"metadata":{"owner":"alice",…}}, key of bob' \
    '200, metadata.owner is bob' 200 '*"owner":"bob"*'
  ask "$bob" PATCH "/threads/$his" '{"metadata":{"owner":"alice"}}'
  step '… nor give a thread away' 'PATCH of his thread {"metadata":{"owner":"alice"}}' \
    '200, metadata.owner is bob' 200 '*"owner":"bob"*'
}

story_of_lists() {
  ask "$alice" POST /threads/search '{}'
  step 'A search shows what is hers' 'POST /threads/search {}, key of alice' \
    "200, hers and nothing of bob's" 200 "*$thread*" "!*$his*"
  ask "$bob" POST /threads/search '{"metadata":{"owner":"alice"}}'
  step '… whatever is searched for' \
    'POST /threads/search {"metadata":{"owner":"alice"}}, key of bob' '200, []' \
    200 '[]'
  ask "$bob" POST /threads/count '{}'
  step 'A count counts what is his' 'POST /threads/count {}, key of bob' '200, 1' \
    200 1
  ask "$carol" POST /threads/search '{}'
  step 'An admin sees all' 'POST /threads/search {}, key of carol' \
    "200, alice's and bob's" 200 "*$thread*" "*$his*"
}

# Status, type and text; the ids that were asked for may differ.
story_of_the_hidden() {
  local foreign nobodys=00000000-0000-4000-8000-000000000000
  ask "$bob" GET "/threads/$thread"
  step "Alice's thread is not there for bob" \
    'GET /threads/ID of alice, key of bob' '404' 404
  foreign=${body//$thread/ID}
  ask "$bob" GET "/threads/$nobodys"
  [ "${body//$nobodys/ID}" = "$foreign" ] || status="$status, other words"
  step '… just as one that does not exist' 'GET of an id that nobody has' \
    '404 in the same words' 404
  ask "$bob" PATCH "/threads/$thread" '{"metadata":{"topic":"mine"}}'
  step '… nor can he change it' "PATCH of alice's thread, key of bob" 404 404
  ask "$bob" POST "/threads/$thread/runs/wait" "$(run_of mine)"
  step '… nor run anything on it' "POST /threads/ID of alice/runs/wait, key of bob" \
    404 404
  ask "$alice" GET "/threads/$thread"
  step 'Alice has it' 'GET of her thread, key of alice' '200, unchanged' 200 \
    '*"topic":"tea"*'
}

story_of_runs() {
  local run claim
  ask "$alice" POST "/threads/$thread/runs/wait" "$(run_of tea)"
  step 'Alice runs an agent' 'POST /threads/ID/runs/wait, key of alice' \
    '200, the agent knows whom it runs for' 200 '*"answer":"echo: tea"*' \
    '*"caller":"alice"*'
  claim='{"langgraph_auth_user":{"identity":"alice"},"langgraph_auth_user_id":"alice"}'
  ask "$bob" POST "/threads/$his/runs/wait" \
    "$(run_of ale ",\"config\":{\"configurable\":$claim}")"
  step 'Who says to be alice is still bob' \
    "a run of bob's with langgraph_auth_user_id alice in config.configurable" \
    '200, it runs for bob' 200 '*"caller":"bob"*'
  ask "$alice" POST "/threads/$thread/runs/stream" \
    '{"assistant_id":"agent","input":{"text":"tea","ticks":2},"stream_mode":["custom","values"],"stream_resumable":true}'
  run=$(member run_id)
  step 'A stream comes as it is written' \
    'POST /threads/ID/runs/stream with two events, key of alice' \
    '200, server-sent events, both of them' 200 '*event: custom*"tick":0*' \
    '*event: custom*"tick":1*'
  ask "$bob" GET "/threads/$his/runs/$run/stream"
  step "… and not to bob, by way of a thread of his" \
    "GET /threads/ID of bob/runs/RUN of alice/stream, key of bob" 404 404
}

# The server would call it some time after the run: so the log is asked, too.
story_of_webhooks() {
  local hook=",\"webhook\":\"/threads/$thread/state\"" lines logged
  lines=$(wc -l <"$dir/logs/error.log")
  ask "$bob" POST "/threads/$his/runs/wait" "$(run_of stolen "$hook")"
  step 'A webhook by which the server would call itself is cut' \
    "a run of bob's with webhook /threads/ID of alice/state" \
    '200, the run goes on without it' 200 '*"answer":"echo: stolen"*'
  until_logged 'AGA0707: a webhook was cut' "$lines"
  logged=$?
  ask "$alice" GET "/threads/$thread/state"
  [ $logged = 0 ] || status=unlogged
  step '… and writes nothing' "GET of the state of alice's thread, her key" \
    '200, as she left it, and the log says why' 200 '*"echo: tea"*' '!*stolen*'
}

story_of_assistants() {
  local hers
  ask "$alice" POST /assistants '{"graph_id":"agent","name":"hers"}'
  hers=$(member assistant_id)
  step 'Alice makes an assistant' 'POST /assistants, key of alice' \
    '200, metadata.owner is alice' 200 '*"owner":"alice"*'
  ask "$bob" POST /assistants/search '{}'
  step "Bob finds the server's own assistant alone" \
    'POST /assistants/search {}, key of bob' '200, one that the system made' 200 \
    '*"created_by":"system"*' "!*$hers*"
  ask "$bob" POST "/threads/$his/runs/wait" \
    "{\"assistant_id\":\"$hers\",\"input\":{\"text\":\"ale\"}}"
  step "… and cannot run alice's" "a run of bob's with her assistant's id" 404 404
}

story_of_danger() {
  ask "$bob" POST /internal/truncate '{"threads":true}'
  step 'Nobody wipes it all' 'POST /internal/truncate, key of bob' 403 403
  ask "$carol" POST /internal/truncate '{"threads":true}'
  step '… not even an admin' 'the same, key of carol' 403 403
}

story_of_policies() {
  { cat "$site_policy"
    echo 'auth.on.threads.read(function(ctx, value) return true end)'
  } | write_policy
  until_status 200 "$bob" GET "/threads/$thread"
  step 'An edited policy takes effect without a restart' \
    'the policy now lets everyone read; GET of alice'\''s thread, key of bob' \
    200 200 '*"owner":"alice"*'
  ask "$bob" DELETE "/threads/$thread"
  step '… and no more than it says' 'DELETE of the same thread, key of bob' 404 404
  write_policy <"$site_policy"
  until_status 404 "$bob" GET "/threads/$thread"
  step 'The first policy again' 'the same GET, key of bob' 404 404
}

story() {
  story_of_threads
  story_of_lists
  story_of_the_hidden
  story_of_runs
  story_of_webhooks
  story_of_assistants
  story_of_danger
  story_of_policies
  story_of_revocation
}
