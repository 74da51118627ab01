import { Component, input, output, signal } from "@angular/core";
import { jobSignal } from "tailrace/angular";

@Component({
  selector: "app-job-bar",
  template: `
    @let it = job();
    @if (it.link.state === "unauthorized") {
      <button (click)="signIn.emit()">Sign in</button>
    } @else {
      <progress max="100" [attr.value]="it.state?.percent"></progress>
      <p role="status">{{ it.state?.status ?? "unknown" }}, {{ it.link.state }}</p>
      <button [disabled]="it.state?.cancelling" (click)="cancel()">Cancel</button>
      @if (refusal() || it.error) {
        <p role="alert">{{ refusal() || it.error }}</p>
      }
    }
  `,
})
export class JobBar {
  readonly id = input.required<string>();
  readonly signIn = output();
  protected readonly job = jobSignal(this.id);
  protected readonly refusal = signal("");

  protected cancel(): void {
    this.job.cancel().catch((why) => this.refusal.set(why.message));
  }
}
