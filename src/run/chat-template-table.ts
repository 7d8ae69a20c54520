/**
 * Conversation formats that go by a name, for models without a template of their own: role markers as their makers
 * publish them. Where a format has no part for a system message, it stands before the next user message.
 */
export const chatTemplates = {
  chatml: [
    "{% for m in messages %}<|im_start|>{{ m.role }}",
    "{{ m.content }}<|im_end|>",
    "{% endfor %}",
    "{% if add_generation_prompt %}<|im_start|>assistant",
    "{% endif %}",
  ].join("\n"),

  llama3: [
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>",
    "",
    "{{ m.content | trim }}<|eot_id|>{% endfor %}",
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>",
    "",
    "{% endif %}",
  ].join("\n"),

  gemma: [
    "{{ bos_token }}{% set wait = namespace(system='') %}",
    "{% for m in messages %}",
    "{% if m.role == 'system' %}{% set wait.system = m.content + '\\n\\n' %}{% else %}",
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}",
    "{{ (wait.system + m.content) | trim }}<end_of_turn>",
    "{% set wait.system = '' %}{% endif %}{% endfor %}",
    "{% if add_generation_prompt %}<start_of_turn>model",
    "{% endif %}",
  ].join("\n"),

  mistral: [
    "{{ bos_token }}{% set wait = namespace(system='') %}",
    "{% for m in messages %}",
    "{% if m.role == 'system' %}{% set wait.system = m.content + '\\n\\n' %}",
    "{% elif m.role == 'assistant' %} {{ m.content }}{{ eos_token }}",
    "{%- else %}[INST] {{ wait.system + m.content }}[/INST]{% set wait.system = '' %}{% endif %}",
    "{% endfor %}",
  ].join("\n"),
} as const;

export type ChatTemplateName = keyof typeof chatTemplates;

export const chatTemplateNames = Object.keys(chatTemplates) as readonly ChatTemplateName[];
