// Prints what the parser of the AsyncAPI project has against each document, one line of JSON each:
// [[severity, place, message], …]. Run with the folder that holds node_modules, and the documents.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const [folder, ...documents] = process.argv.slice(2);
const { Parser } = createRequire(resolve(folder, "x.js"))("@asyncapi/parser");
const names = ["error", "warning", "information", "hint"];
for (const document of documents) {
  const source = resolve(document);
  const { diagnostics } = await new Parser().parse(readFileSync(source, "utf8"), { source });
  const found = diagnostics.map((one) => [names[one.severity], one.path.join("."), one.message]);
  console.log(JSON.stringify(found));
}
