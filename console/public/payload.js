/* Payloads as people read them. What was sent is shown, digit by digit: room is made between the parts of a JSON text, which
 * is not parsed and written anew, or large numbers would be rounded and repeated members dropped. */
/* SPDX-License-Identifier: Apache-2.0 */

const PARTS = /"(?:\\.|[^"\\])*"|[\s]+|[:,]/g;

const spaced = (json) => json.trim().replace(PARTS, (part) => (part === ":" || part === "," ? part + " " : part.trim()));

function isStructure(text) {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}

/* {encoding, data, whole}, as the tail gives it. */
export const payloadText = ({ encoding, data, whole }) => (encoding === "text" && whole && isStructure(data) ? spaced(data) : data);
