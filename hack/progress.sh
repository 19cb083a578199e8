#!/usr/bin/env bash
# Runs a command that takes minutes and says little: a line every 10 seconds
# with the time taken and the last line of its output; all of its output when it
# fails.
#   hack/progress.sh LABEL COMMAND [ARGUMENT...]
set -euo pipefail

label=$1
shift
log=$(mktemp)
"$@" >"$log" 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; rm -f "$log"' EXIT

printf '%s …\n' "$label" >&2
said=0
while kill -0 "$pid" 2>/dev/null; do
	sleep 0.2
	if ((SECONDS - said >= 10)); then
		said=$SECONDS
		printf '  %dm%02ds  %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$(tr '\r' '\n' <"$log" | tail -n 1 | cut -c 1-100)" >&2
	fi
done

if ! wait "$pid"; then
	tail -n 40 "$log" >&2
	printf '%s: failed after %d s\n' "$label" "$SECONDS" >&2
	exit 1
fi
printf '%s: done after %d s\n' "$label" "$SECONDS" >&2
