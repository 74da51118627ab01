import { type ApplicationConfig } from "@angular/core";
import { provideTailrace } from "tailrace/angular";

export const appConfig: ApplicationConfig = {
  providers: [provideTailrace({ url: "http://localhost:8080", tenant: "acme" })],
};
