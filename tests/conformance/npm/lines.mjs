// What a test and a script say to each other: lines of JSON on standard input and output.
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export async function told() {
  return JSON.parse((await lines.next()).value);
}

export function tell(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

// Have the test's person open an address; returns where the pages led them.
export async function visit(address) {
  tell({ visit: String(address) });
  return (await told()).back;
}

// Return the word with which something is refused, and fail where it is not.
export async function refusal(deed) {
  try {
    await deed();
  } catch (error) {
    return error.error ?? error.code ?? error.name;
  }
  throw new Error("this should have been refused");
}

// Do the journey that the test asks for, and tell what came of it.
export async function run(journeys) {
  const facts = await told();
  try {
    tell({ done: await journeys[facts.journey](facts) });
  } catch (error) {
    const { name, message, code, cause } = error;
    tell({ failed: { name, message, code, error: error.error, cause: String(cause), stack: error.stack } });
  }
  process.exit(0);
}
