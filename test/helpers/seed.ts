import fc from "fast-check";

// The same draws on every run, so that a red run means a change of ours. `NIBBLE_SEED=7 npm test` draws others.
fc.configureGlobal({ seed: Number(process.env["NIBBLE_SEED"] ?? 20261121) });
