import { provideAppInitializer, type ApplicationConfig } from "@angular/core";
import { PublicClientApplication } from "@azure/msal-browser";
import { fromMsal, provideTailrace } from "tailrace/angular";
import { SIGN_IN } from "./sign-in";

const scopes = ["api://tailrace/events.read"];
const msal = new PublicClientApplication({
  auth: {
    clientId: "11111111-2222-3333-4444-555555555555",
    authority: "https://login.microsoftonline.com/99999999-8888-7777-6666-555555555555",
    redirectUri: location.origin,
  },
});

/** Takes in what the identity provider sent back, if the page comes from there. */
async function initialize(): Promise<void> {
  await msal.initialize();
  const answer = await msal.handleRedirectPromise();
  msal.setActiveAccount(answer?.account ?? msal.getAllAccounts()[0] ?? null);
}

export const appConfig: ApplicationConfig = {
  providers: [
    provideAppInitializer(initialize),
    provideTailrace({
      url: "http://localhost:8080",
      tenant: "acme",
      getToken: fromMsal((request) => msal.acquireTokenSilent({ scopes, ...request })),
    }),
    { provide: SIGN_IN, useValue: () => msal.loginRedirect({ scopes }) },
  ],
};
