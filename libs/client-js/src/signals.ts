/** Calls `act` with a signal's reason when it is aborted; returns what ends that. */
export function onAbort(signal: AbortSignal | undefined, act: (reason: unknown) => void): () => void {
  const abort = () => act(signal?.reason);
  signal?.addEventListener("abort", abort);
  return () => signal?.removeEventListener("abort", abort);
}

/** Resolves as `work` does, unless the signal is aborted before, to which not everything listens. Call it one at a time. */
export function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.onabort = () => reject(signal.reason);
  });
  return Promise.race([work, aborted]);
}
