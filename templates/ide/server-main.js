// Stands in for VS Code's own file of this name: the same program, bundled and compiled ahead.
import { createRequire } from "node:module";

const { load } = createRequire(import.meta.url)("../../../../load.js");
export const { loadCodeWithNls } = load(`${import.meta.dirname}/server-main.cjs`);
