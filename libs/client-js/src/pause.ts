/** Waits for what somebody else may bring. */
export class Pause {
  /** Ends the waiting; nothing happens if nobody waits. */
  rouse = (): void => {};

  /** Resolves when it is roused, or after so many milliseconds. */
  async wait(milliseconds = Infinity): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.rouse = resolve;
      if (milliseconds < Infinity) timer = setTimeout(resolve, milliseconds);
    });
    clearTimeout(timer);
  }
}
