// A picture of a terminal's output: `node dist/cli.js demo --quiet | node scripts/terminal-picture.mjs "nibble demo" > docs/demo.svg`.
import { readFileSync } from "node:fs";

const [command = ""] = process.argv.slice(2);
const lines = [`$ ${command}`, ...readFileSync(0, "utf8").trimEnd().split("\n")];
const fontSize = 14;
/** Of a monospaced font, in units of its size. */
const characterWidth = 0.602;
const lineHeight = 1.4;
const margin = 18;

const widest = Math.max(...lines.map((line) => [...line].length));
const width = Math.ceil(widest * characterWidth * fontSize) + 2 * margin;
const height = Math.ceil(lines.length * lineHeight * fontSize) + 2 * margin;
const escape = (text) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

console.log(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">
<title>${escape(command)}</title>
<rect width="100%" height="100%" rx="8" fill="#16181d"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${fontSize}" fill="#d6dae2" xml:space="preserve">
${lines
  .map((line, i) => {
    const y = (margin + (i + 0.8) * lineHeight * fontSize).toFixed(1);
    return `<text x="${margin}" y="${y}"${i === 0 ? ' fill="#8bd49c"' : ""}>${escape(line)}</text>`;
  })
  .join("\n")}
</g>
</svg>`);
