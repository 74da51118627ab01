// Makes the one minified module that a page without a build step loads: node bundle.mjs ENTRY OUTFILE
import { build } from "esbuild";

const [entry, outfile] = process.argv.slice(2);
await build({ entryPoints: [entry], outfile, bundle: true, minify: true, format: "esm", target: "es2022" });
