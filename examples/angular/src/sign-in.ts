import { InjectionToken } from "@angular/core";

export const SIGN_IN = new InjectionToken<() => void>("sign in", { factory: () => () => {} });
