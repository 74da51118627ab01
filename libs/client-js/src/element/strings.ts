/** The words that are shown. `{}` is where numbers and times go, which `Intl` writes. */
export const english = {
  waiting: "Waiting to start",
  running: "Running",
  retrying: "Attempt {} failed, another one follows",
  "worker-lost": "No signal from worker",
  cancelling: "Cancelling",
  complete: "Complete",
  failed: "Failed",
  cancelled: "Cancelled",
  deleted: "This job was deleted",
  refused: "Cannot be shown",

  connecting: "Connecting",
  live: "Live",
  stale: "Nothing heard",
  offline: "Offline",
  unauthorized: "Sign-in needed",
  closed: "Closed",

  count: "{} of {}",
  failures: "{} failed",
  rate: "{}/s",
  slow: "{}/min",
  eta: "about {} left",
  age: "last update {}",
  warnings: "Warnings: {}",
  cancel: "Cancel",
  "no-worker": "Not cancelled: no worker has heard it",
  "not-cancelled": "Not cancelled",
};

export type Strings = typeof english;
