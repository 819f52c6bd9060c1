from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0002_plans_subscriptions'),
    ]

    operations = [
        migrations.AddField(
            model_name='subscription',
            name='reminded_days',
            field=models.PositiveSmallIntegerField(blank=True, help_text='How many days ahead the last reminder was due.', null=True),
        ),
    ]
