import { Component, inject, signal } from "@angular/core";
import { JobBar } from "./job-bar";
import { Orders } from "./orders";
import { SIGN_IN } from "./sign-in";

@Component({
  selector: "app-root",
  imports: [JobBar, Orders],
  template: `
    @if (shown()) {
      <app-job-bar id="import-42" (signIn)="signIn()" />
      <app-orders />
    }
    <button (click)="shown.set(!shown())">{{ shown() ? "Hide" : "Show" }}</button>
  `,
})
export class App {
  protected readonly signIn = inject(SIGN_IN);
  protected readonly shown = signal(true);
}
