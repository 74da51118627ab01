// Types of the bundle `tailrace.js`, for the check of the console's modules. Not part of the wheel.
export * from "../../../../libs/client-js/src/index.ts";
