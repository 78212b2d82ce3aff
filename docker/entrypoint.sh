#!/bin/sh
# wellseg predict ... is python -m wellseg.predict ...
command="${1:?give a command: train, predict, evaluate, synth}"
shift
exec python -m "wellseg.$command" "$@"
