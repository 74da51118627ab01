/** Tokens from Microsoft's MSAL, which is not imported here. */
import type { GetToken } from "./edges.ts";

/** What is asked of MSAL: pass it on to `acquireTokenSilent`. */
export interface SilentRequest {
  /** Whether the token in MSAL's cache is of no use, since an edge has refused it. */
  forceRefresh: boolean;
}

/** Nobody is signed in, or has to do something: asking again would come to the same. */
const SIGN_IN_NEEDED: ReadonlySet<unknown> = new Set(["no_account_error", "no_account_found", "login_required"]);

/**
 * Makes a client's `getToken` of MSAL's `acquireTokenSilent`:
 * `fromMsal((request) => msal.acquireTokenSilent({ scopes, ...request }))`.
 *
 * Where MSAL wants somebody to sign in, the link is `unauthorized` and nobody is asked again until
 * `client.authorize()`. After any other error of MSAL's the attempt counts as failed, and another one comes.
 */
export function fromMsal(acquire: (request: SilentRequest) => PromiseLike<{ accessToken: string }>): GetToken {
  return async ({ reason }) => {
    try {
      // Without a scope of an API, MSAL resolves to an empty token.
      return (await acquire({ forceRefresh: reason === "unauthorized" })).accessToken || null;
    } catch (error) {
      const { name, errorCode } = Object(error) as { name?: unknown; errorCode?: unknown };
      if (name === "InteractionRequiredAuthError" || SIGN_IN_NEEDED.has(errorCode)) return null;
      throw error;
    }
  };
}
