import { Component, input, output } from "@angular/core";
import { jobSignal } from "tailrace/angular";

@Component({
  selector: "app-job-bar",
  template: `
    @let it = job();
    @if (it.link.state === "unauthorized") {
      <button (click)="signIn.emit()">Sign in</button>
    } @else {
      <progress max="100" [value]="it.state?.percent ?? 0"></progress>
      <p role="status">{{ it.state?.status ?? "unknown" }}, {{ it.link.state }}</p>
      <button [disabled]="it.state?.cancelling" (click)="job.cancel()">Cancel</button>
    }
  `,
})
export class JobBar {
  readonly id = input.required<string>();
  readonly signIn = output();
  protected readonly job = jobSignal(this.id);
}
