// One line a check: "ok …" or "FAILED …". The script that starts these counts the lines.

import { spawn } from "node:child_process";

/** Runs one check; a failure is a line, not the end. */
export async function check(name, body) {
  try {
    const said = await body();
    console.log(`ok      ${name}${said ? ` (${said})` : ""}`);
  } catch (error) {
    console.log(`FAILED  ${name}: ${String(error?.message ?? error).replaceAll(/\s+/g, " ").slice(0, 400)}`);
  }
}

/** Runs a program to its end: its status and what it wrote. */
export function run(program, args, { input = "", env = process.env, seconds = 60 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ["pipe", "pipe", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGKILL"), seconds * 1000);
    const out = [], err = [];
    child.stdout.on("data", (bytes) => out.push(bytes));
    child.stderr.on("data", (bytes) => err.push(bytes));
    child.on("error", reject);
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ status, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() });
    });
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

/** The variable that the calling script has set. */
export function given(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}
