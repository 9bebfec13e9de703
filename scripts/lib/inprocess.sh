# SPDX-License-Identifier: Apache-2.0
# The story of a backend inside httpd that obeys the note; sourced by demo.

site_config=docs/examples/demo/httpd.conf.in
site_policy=docs/examples/demo/policy.lua
realm=demo

start_backend() {
  install -m 644 docs/examples/demo/backend.lua "$dir/"
}

write_site() {
  :
}

accounts() {
  make_user alice && make_user bob
}

story_of_owners() {
  ask '' POST /threads/search '{}'
  step 'Nobody is refused' 'POST /threads/search, no key' 401 401 \
    '*"error":"authentication required"*'

  ask "$alice" POST /threads '{"metadata":{"topic":"tea"}}'
  thread=${body#*\"thread_id\":\"} thread=${thread%%\"*}
  step 'Create stamps the owner' \
    'POST /threads {"metadata":{"topic":"tea"}}, key of alice' \
    '200, metadata.owner is alice, her topic is kept' 200 \
    '*"metadata":{*"owner":"alice"*'

  ask "$bob" POST /threads '{"metadata":{"owner":"alice","topic":"ale"}}'
  step 'A client cannot choose the owner' \
    'POST /threads {"metadata":{"owner":"alice",…}}, key of bob' \
    '200, metadata.owner is bob' 200 '*"owner":"bob"*'

  ask "$alice" POST /threads/search '{}'
  step "Alice's key lists alice's threads" \
    'POST /threads/search {}, key of alice' \
    '200, hers and nothing of bob' 200 "*\"thread_id\":\"$thread\"*" \
    '!*"owner":"bob"*'

  ask "$bob" GET "/threads/$thread"
  step "Bob gets 404 for alice's thread" 'GET /threads/ID of alice, key of bob' \
    '404, as if it were not there' 404
  ask "$alice" GET "/threads/$thread"
  step 'Alice gets it' 'the same, key of alice' '200' 200 '*"topic":"tea"*'
}

story_of_forgers() {
  local forged
  for forged in 'AgentAuth-Filter: true' 'AgentAuth_Filter: true' \
    'Connection: AgentAuth-Filter'; do
    ask "$bob" GET "/threads/$thread" '' "$forged"
    step "Forged '$forged' changes nothing" \
      "GET /threads/ID of alice, key of bob, $forged" 404 404
    ask "$bob" POST /threads/search '{}' "$forged"
    step '… nor in a search' 'POST /threads/search {}, the same header' \
      "200, bob's alone" 200 '*"owner":"bob"*' '!*"owner":"alice"*'
  done
}

story_of_policies() {
  local lines
  { cat "$dir/policy.lua"
    echo 'auth.on.threads.read(function(ctx, value) return nil end)'
  } | write_policy
  until_status 200 "$bob" GET "/threads/$thread"
  step 'An edited policy takes effect without a restart' \
    'the policy now lets everyone read; GET of alice'\''s thread, key of bob' \
    200 200 '*"owner":"alice"*'

  lines=$(wc -l <"$dir/logs/error.log")
  echo 'auth.on.threads.read(function(ctx' | write_policy
  until_logged 'policy\.lua:' "$lines" || status=unlogged
  ask "$bob" GET "/threads/$thread"
  step 'A broken policy keeps the old one' \
    'the file is broken now; the same GET, key of bob' '200 as before' 200 \
    '*"owner":"alice"*'
  printf '    log       %s\n' \
    "$(tail -n "+$((lines + 1))" "$dir/logs/error.log" | grep -m1 "policy\.lua:" |
      sed 's/.*\] //' | cut -c1-150)"
  ask "$bob" DELETE "/threads/$thread"
  step '… all of it' 'DELETE of the same thread, key of bob' '404 as before' 404

  write_policy <"$site_policy"
  until_status 404 "$bob" GET "/threads/$thread"
  step 'The first policy again' 'the same GET, key of bob' 404 404
}

story_of_others() {
  ask "$bob" POST /threads/search '{}'
  step "Bob's key still works" 'POST /threads/search {}, key of bob' 200 200 \
    '*"owner":"bob"*'
}

story() {
  story_of_owners
  story_of_forgers
  story_of_policies
  story_of_revocation
  story_of_others
}
