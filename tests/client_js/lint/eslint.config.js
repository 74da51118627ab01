// What ESLint looks for in the project's TypeScript and JavaScript; run from the root of the checkout.
import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import { configs } from "typescript-eslint";

/** Files that a compiler checks, under its settings. */
function typed(project, files, { ignores = [], more = {} } = {}) {
  return {
    files,
    ignores,
    extends: [js.configs.recommended, configs.strictTypeChecked],
    languageOptions: { parserOptions: { project, tsconfigRootDir: import.meta.dirname } },
    rules: { ...rules, ...more },
  };
}

const rules = {
  "array-callback-return": "error",
  eqeqeq: ["error", "smart"],
  "@typescript-eslint/require-array-sort-compare": "error",
  "@typescript-eslint/switch-exhaustiveness-check": "error",

  // The compiler says both, and knows more.
  "no-undef": "off",
  "@typescript-eslint/no-unused-vars": "off",
  // What somebody waits for is async, whether it has to wait itself or not.
  "@typescript-eslint/require-await": "off",
  // `!` costs a page no byte, where one knows more than the compiler.
  "@typescript-eslint/no-non-null-assertion": "off",
  // It does not know `Promise.withResolvers<void>()`.
  "@typescript-eslint/no-invalid-void-type": "off",
  // `() => listener(value)` says as much as with braces.
  "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
  // Numbers are written as they are; `undefined`, objects and lists hardly are what was meant.
  "@typescript-eslint/restrict-template-expressions": [
    "error",
    { allowNumber: true, allowAny: false, allowBoolean: false, allowNever: false, allowNullish: false, allowRegExp: false },
  ],
};

/** Casts in comments are not seen: what was `any` stays so, and is handed on. */
const commented = {
  "@typescript-eslint/no-unsafe-argument": "off",
  "@typescript-eslint/no-unsafe-assignment": "off",
  "@typescript-eslint/no-unsafe-return": "off",
};

const tests = {
  // A test that Node runs is waited for by Node.
  "@typescript-eslint/no-floating-promises": [
    "error",
    { allowForKnownSafeCalls: [{ from: "package", package: "node:test", name: "test" }] },
  ],
  // What a listener of a test throws ends the run.
  "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: false }],
  // Whatever it is, it is for who reads why a test failed.
  "@typescript-eslint/no-base-to-string": "off",
  "@typescript-eslint/restrict-template-expressions": "off",
};

const examples = {
  // What a client rejects with is a TailraceError, which an example need not say.
  "@typescript-eslint/no-base-to-string": "off",
  "@typescript-eslint/no-unsafe-argument": "off",
  "@typescript-eslint/no-unsafe-member-access": "off",
  "@typescript-eslint/use-unknown-in-catch-callback-variable": "off",
  // React drops what a handler returns.
  "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
  // `find<HTMLButtonElement>("#cancel")` is a cast that can be read.
  "@typescript-eslint/no-unnecessary-type-parameters": "off",
};

const plain = {
  "array-callback-return": "error",
  eqeqeq: ["error", "smart"],
  "no-unused-vars": ["error", { varsIgnorePattern: "^_" }],
};

/** What plain programs find around them: in Node, in a page, and what a test gives to its page. */
const around = [...Object.getOwnPropertyNames(globalThis), "document", "EventSource", "requestAnimationFrame", "show", "window"];

export default defineConfig([
  // A comment that lets something pass is an error itself where nothing is found: so it shows that ESLint still looks.
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  { ignores: ["**/node_modules/", "**/dist*/", "**/.angular/"] },
  typed("../../../libs/client-js/tsconfig.json", ["libs/client-js/src/**/*.ts"]),
  typed("../../../libs/client-js/tsconfig.json", ["libs/client-js/test/**/*.ts"], { more: tests }),
  typed("../../browser/tsconfig.json", ["services/edge/tailrace_edge/console/*.js"], { ignores: ["**/tailrace.js"], more: commented }),
  // Without MSAL nothing is known of the one that is left out.
  typed("tsconfig.examples.json", ["examples/*/src/**/*.{ts,tsx}"], { ignores: ["**/app.config.msal.ts"], more: examples }),
  typed("tsconfig.programs.json", ["tests/client_js/*.ts"], { more: tests }),
  {
    files: ["services/demo/**/page.js", "tests/**/*.{js,mjs}", "libs/client-js/**/*.mjs"],
    extends: [js.configs.recommended],
    languageOptions: { globals: Object.fromEntries(around.map((name) => [name, "readonly"])) },
    rules: plain,
  },
]);
