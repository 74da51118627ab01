// Gives the React of this folder to all who import React: node --import ./test/react/18/register.mjs --test ...
import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, next) {
    const react = /^(react|react-dom)($|\/)/.test(specifier);
    return next(specifier, react ? { ...context, parentURL: import.meta.url } : context);
  },
});
