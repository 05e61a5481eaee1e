# Latchgate as a container. See docs/operations.md for what to mount and how to start it.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Not `npm ci`: it refuses a lock file that lacks the optional packages of other platforms.
RUN npm install
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm install --omit=dev

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json LICENSE ./
COPY config/reference.yaml config/sql-to-auth0.yaml config/auth0-to-gooddata.yaml ./config/
COPY integrations ./integrations
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist

# The account `node` of the image, by number, so that Kubernetes can see that it is not root.
RUN install -d -m 0700 -o 1000 -g 1000 /data
USER 1000:1000
VOLUME /data

EXPOSE 4180
# The admin listener stays on loopback: only the health check inside the container needs it.
ENV LATCHGATE_HEALTH_URL=http://127.0.0.1:4181/healthz
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.LATCHGATE_HEALTH_URL).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# Node itself is process 1 and hears SIGTERM: `serve` drains and ends. It starts no children that would need reaping.
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["serve", "--config", "/etc/latchgate/latchgate.yaml"]
