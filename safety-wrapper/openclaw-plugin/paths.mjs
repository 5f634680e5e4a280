// OpenClaw mends paths after its hooks were asked: a doubled end of an XML argument, invented Office extensions, a leading @,
// file: addresses and the home folder. The gate would judge one path and the tool open another, so a path is mended here
// first, made absolute, and handed on as it was judged; one that the tool would still mend is refused.

import path from "node:path";

const XML_END = /<\/arg_value>>*$/;
const OFFICE = /\.(doc|ppt|xls)(?:odex|codex|xodex|xcodex)$/i;
const EXTENSION = { doc: ".docx", ppt: ".pptx", xls: ".xlsx" };
// Spaces that the file tools write as plain ones, and what no path of ours holds.
const ODD = /[\0-\x1f\x7f\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff]/;

/** The absolute path that will be judged and opened. */
export function settled(given, base) {
  if (typeof given !== "string" || given === "") throw new Error("the path must be a text");
  if (ODD.test(given)) throw new Error("the path holds characters that file tools read in more than one way; write it plainly");
  let plain = given.replace(XML_END, "").replace(OFFICE, (_, family) => EXTENSION[family.toLowerCase()]);
  if (plain.startsWith("@")) plain = plain.slice(1);
  if (/^[a-z][a-z0-9+.-]*:/i.test(plain)) throw new Error("write the path as a path, not as an address");
  if (plain.startsWith("~")) throw new Error("write the path in full, without ~");
  if (!path.isAbsolute(plain)) {
    if (base === undefined) throw new Error("write the path in full, from / on");
    plain = path.join(base, plain);
  }
  plain = path.normalize(plain);
  // What comes out must stay as it is when it is mended once more.
  if (XML_END.test(plain) || OFFICE.test(plain) || plain.includes("/@")) {
    throw new Error("file tools would read this path in another way; choose another name");
  }
  return plain;
}
