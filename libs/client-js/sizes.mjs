// Prints how many bytes, minified and gzipped, a page loads at once, and with what is loaded when it is needed: JSON.
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const uses = {
  core: 'export { createClient } from "./src/index.ts";',
  sharing: 'export { createClient } from "./src/index.ts"; export { share } from "./src/share.ts";',
  element: 'export { TailraceProgress } from "./src/element/index.ts";',
};
const later = ["./text.ts", "./eventsource.ts", "./calls.ts", "./extras.ts"];

async function measure(contents, external) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    external,
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

const sizes = {};
for (const [name, code] of Object.entries(uses)) {
  sizes[name] = { atOnce: await measure(code, later), all: await measure(code, []) };
}
console.log(JSON.stringify(sizes));
