/** Listeners by the name of what they hear of. */
export class Emitter<Events> {
  #listeners = new Set<readonly [name: keyof Events, listener: (value: never) => void]>();

  /** Calls `listener` from now on; returns what ends that. An error that it throws is reported, and harms nobody else. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const entry = [name, listener] as const; // the same function may listen twice
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** How many listen. */
  protected get listening(): number {
    return this.#listeners.size;
  }

  protected emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const [heard, listener] of [...this.#listeners]) {
      try {
        if (heard === name) (listener as (value: Events[Name]) => void)(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
