// One address in front of several servers: each request goes to the next one, whoever sent it and over whatever
// connection. node round_robin.mjs PORT UPSTREAM…

import http from "node:http";

const [port, ...upstreams] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true });
let turn = 0;

http.createServer((request, answer) => {
  const { hostname, port } = new URL(upstreams[turn++ % upstreams.length]);
  const { method, url: path, headers } = request;
  const onward = http.request({ hostname, port, method, path, headers, agent }, (reply) => {
    answer.writeHead(reply.statusCode, reply.headers);
    reply.pipe(answer);
  });
  onward.on("error", (error) => answer.writableEnded || answer.headersSent ? answer.destroy(error) : answer.writeHead(502).end(String(error)));
  answer.on("close", () => onward.destroy());
  request.pipe(onward);
}).listen(Number(port), "127.0.0.1", () => console.log(`round robin over ${upstreams.length}`));
