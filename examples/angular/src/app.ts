import { Component, inject } from "@angular/core";
import { JobBar } from "./job-bar";
import { Orders } from "./orders";
import { SIGN_IN } from "./sign-in";

@Component({
  selector: "app-root",
  imports: [JobBar, Orders],
  template: `
    <app-job-bar id="import-42" (signIn)="signIn()" />
    <app-orders />
  `,
})
export class App {
  protected readonly signIn = inject(SIGN_IN);
}
