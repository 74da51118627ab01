export { createClient } from "../../libs/client-js/src/index.ts";
export { share } from "../../libs/client-js/src/share.ts";
