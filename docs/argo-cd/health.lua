-- The health of a CloudTask (group tencent.cloudtask.dev) for Argo CD.
local hs = { status = "Progressing", message = "Waiting for the operator" }
local status = obj.status
-- A status of an older spec says nothing, and the CRD's default has -1.
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return hs
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local succeeded = conditions["Succeeded"]
if succeeded == nil then
  return hs
end

hs.message = succeeded.message
if succeeded.status == "True" then
  hs.status = "Healthy"
elseif succeeded.status == "False" then
  hs.status = "Degraded"
elseif conditions["Stalled"] ~= nil and conditions["Stalled"].status == "True" then
  hs.status = "Degraded"
elseif obj.spec ~= nil and obj.spec.suspend == true then
  hs.status = "Suspended"
end
return hs
