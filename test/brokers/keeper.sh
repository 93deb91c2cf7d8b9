#!/usr/bin/env bash
# keeper.sh <folder> <command…>: runs a broker for a test, and leaves nothing behind however the test ends.
# It reads `start` and `signal NAME` from its input, and says `started` and `ended CODE`. When its input ends (the test
# closed it, or was killed), every process of the broker is killed and the folder is taken away. It is a shell, so that
# whoever kills every Node does not kill this one too.
folder=$1
shift

run() {
  # With job control the broker and its helpers are a process group of their own: one signal reaches all of them.
  # Without it, `wait` is not over when they are only stopped.
  set -m
  "$@" </dev/null >>"$folder/log" 2>&1 &
  set +m
  echo $! >"$folder/group"
  echo started
  wait $!
  local code=$? try
  # Helpers may outlive it by a moment. One that is dead and that nobody collects can still be signalled: hence a bound.
  for ((try = 0; try < 20; try++)); do
    kill -KILL -- "-$!" || break
    sleep 0.01
  done
  echo "ended $code"
}

# A container is not a child of what has started it.
send() {
  if [[ -z $BROKER_DOCKER ]]; then
    kill -s "$1" -- "-$(<"$folder/group")"
    return
  fi
  case $1 in
    STOP) "$BROKER_DOCKER" compose pause ;;
    CONT) "$BROKER_DOCKER" compose unpause ;;
    # As long as any other broker has; after that Compose kills it.
    TERM) "$BROKER_DOCKER" compose stop --timeout 30 ;;
    *)
      "$BROKER_DOCKER" compose unpause
      "$BROKER_DOCKER" compose kill -s "$1"
      ;;
  esac </dev/null >/dev/null
}

runs() { [[ -n $runner ]] && kill -0 "$runner"; }

# An engine goes on making what `up` has asked for, also when nobody waits for it any more. So `up` is not killed: it ends
# when what it has made is taken away, and what is taken away after that stays away. Where there is no engine any more, all
# that can be ended is `up`.
remove() {
  local over= failed=0
  until [[ -n $over ]] || ((failed == 20)); do
    runs || over=yes
    "$BROKER_DOCKER" compose down --volumes --timeout 0 </dev/null >/dev/null && continue
    over=
    ((failed++))
    sleep 0.1
  done
}

finish() {
  [[ -z $BROKER_DOCKER ]] || remove
  while runs; do
    [[ -s $folder/group ]] && kill -KILL -- "-$(<"$folder/group")"
    sleep 0.01
  done
  until rm -rf "$folder"; do sleep 0.05; done
}

exec 2>/dev/null
runner=
trap : PIPE # what is said when nobody listens any more is no reason to end
trap exit HUP INT TERM
trap finish EXIT
while read -r verb name; do
  case $verb in
    start)
      rm -f "$folder/group"
      run "$@" &
      runner=$!
      ;;
    signal) send "$name" ;;
  esac
done
