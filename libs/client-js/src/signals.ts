/** Calls `act` with a signal's reason when it is aborted; returns what ends that. */
export function onAbort(signal: AbortSignal | undefined, act: (reason: unknown) => void): () => void {
  const abort = () => act(signal?.reason);
  signal?.addEventListener("abort", abort);
  return () => signal?.removeEventListener("abort", abort);
}

/** Settles as `work` does, or rejects when the signal is aborted, to which not everything listens. One at a time. */
export function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    work.then(resolve, reject); // first, so that nobody has to take what it may reject with
    signal.throwIfAborted();
    signal.onabort = reject;
  });
}
